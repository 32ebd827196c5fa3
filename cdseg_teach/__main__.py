"""``python -m cdseg_teach`` is the same as ``cdseg-teach``."""

from cdseg_teach.cli import main

raise SystemExit(main())
