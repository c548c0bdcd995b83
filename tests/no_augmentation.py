"""An augmentation that changes nothing."""

from asr.audio.augmentation import AugmentConfig

NO_AUGMENTATION = AugmentConfig(
    copies=0,
    speed=0,
    noise=0,
    gain_db=0,
    telephone=0,
    stretch=0,
    warp=0,
    band_limit=0,
    frame_noise=0,
    time_masks=0,
    band_masks=0,
    jitter=0,
)
