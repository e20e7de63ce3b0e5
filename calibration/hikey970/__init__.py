"""HiKey 970: cluster power from the energy table of its device tree."""
