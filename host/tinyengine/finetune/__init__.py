"""Fine-tuning on a device or natively: samples, sessions, trained networks as files, searched update schemes."""
