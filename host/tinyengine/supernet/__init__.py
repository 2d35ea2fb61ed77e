"""Once for all: one network is trained whose parts are networks of many sizes, each ready to be used without training.

After "Once-for-All: Train One Network and Specialize it for Efficient Deployment" (Cai et al., ICLR 2020), with the
sandwich rule and in-place distillation of "BigNAS" (Yu et al., ECCV 2020).
"""
