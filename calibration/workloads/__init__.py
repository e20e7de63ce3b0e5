"""How the application and network profiles in hw_models/workloads were made."""
