"""HiKey 970: cores from cost tables and the HiKey 960, heat from geometry and the Odroid XU3."""
