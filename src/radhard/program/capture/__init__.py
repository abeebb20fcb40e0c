"""From a user's module to an exported graph of registered operations, with each row attributed to its image."""
