"""The step that writes the report of a study."""

from radhard.studies.study.study_step import Here, StepResult


def reported(here: Here) -> StepResult:
    """Write the page of all results that the study's store holds. InputError without the extra `report`."""
    from radhard.studies.reporting import write_report  # it draws: nobody else waits for that

    write_report(here.folder.store, out=here.folder.page)
    return StepResult(envelope=None, line=f"{here.folder.page}")
