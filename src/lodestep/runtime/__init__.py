"""What runs beside user code, inside and around a step: standard library only, for any interpreter from 3.9 on.

It is started by path in environments where Lodestep is not installed, under the name `lodestep_runtime`; so it imports
itself by relative imports alone.
"""
