"""Scores a network or Motion files on 3DPW; the same as `python -m regressor.evaluate 3dpw`.

python scripts/evaluate_3dpw.py 3DPW --smpl SMPL --checkpoint model_checkpoint.pt --method spin
python scripts/evaluate_3dpw.py 3DPW --smpl SMPL --motions estimates
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from regressor.evaluate import main

if __name__ == "__main__":
    main(arguments=["3dpw", *sys.argv[1:]])
