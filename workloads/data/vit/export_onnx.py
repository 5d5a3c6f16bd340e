"""Export the trained ViT to ONNX and record its fp32 logits.

usage: export_onnx.py CIFAR_DIR WEIGHTS.pt OUT_STEM
CIFAR_DIR and WEIGHTS.pt are those of train_vit.py. Writes OUT_STEM.onnx (opset 13, batch 1) and
OUT_STEM_test512_logits.npy (float32 [512,10], the first 512 test images in order), and prints top-1 over those 512 and
over all test images.
"""
from train_vit import ViT  # makes `training` known
from training import export_main

if __name__ == "__main__":
    export_main(ViT(), __doc__)
