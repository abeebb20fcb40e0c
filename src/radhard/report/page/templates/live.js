"use strict";
(() => {
  const live = document.getElementById("live");
  const told = document.getElementById("told");
  let seen = null;
  let results = null;
  const watch = async () => {
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      const state = await answer.json();
      if (!answer.ok) {
        told.textContent = state.problem;
      } else if (results !== null && state.results !== results) {
        location.reload();
        return;
      } else {
        results = state.results;
        told.textContent = `Read at ${state.at}; ${state.units.toLocaleString("en")} units.`;
        if (state.html !== seen) {
          live.innerHTML = state.html;
          if (seen !== null || live.querySelector(".plot")) document.dispatchEvent(new Event("radhard-new"));
          seen = state.html;
        }
      }
    } catch {
      told.textContent = "The server does not answer: it was stopped. What stands here is what it told last.";
    }
    setTimeout(watch, 2000);
  };
  watch();
})();
