"""The training of a small vocoder by ESPnet's GAN trainer."""
