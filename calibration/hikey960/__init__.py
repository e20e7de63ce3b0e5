"""HiKey 960: cluster power per clock and core count."""
