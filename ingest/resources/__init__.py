"""The resources of the LRS, one file each."""
