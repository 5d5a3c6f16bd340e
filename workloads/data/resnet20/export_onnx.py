"""Export the trained ResNet-20 to ONNX and record its fp32 logits.

usage: export_onnx.py CIFAR_DIR WEIGHTS.pt OUT_STEM
CIFAR_DIR and WEIGHTS.pt are those of train_resnet20.py. Writes OUT_STEM.onnx (opset 13, batch 1, batch normalisation
folded) and OUT_STEM_test512_logits.npy (float32 [512,10], the first 512 test images in order), and prints top-1 over
those 512 and over all test images.
"""
from train_resnet20 import ResNet20  # makes `training` known
from training import export_main

if __name__ == "__main__":
    export_main(ResNet20(), __doc__)
