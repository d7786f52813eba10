"""How each kind of repo is built, and the guard of the numbers that say when that changed."""
