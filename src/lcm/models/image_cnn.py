"""A small CNN for images (paper, Table 5: "simple CNN", not described): two convolutions, one dense layer."""

from torch import Tensor, nn

from lcm.models.dropout import Dropout
from lcm.models.initialise import keras_linear


class ImageCnnEncoder(nn.Module):
    """2 x (3x3 convolution -> ReLU -> 2x2 max-pooling) -> dropout -> dense -> ReLU: the image vector."""

    def __init__(self, image_size: int, channels: list[int], hidden: int, dropout: float, init: str):
        super().__init__()
        self.vector_size = hidden
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels[0], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels[0], channels[1], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            Dropout(dropout),
            nn.Linear(channels[1] * (image_size // 4) ** 2, hidden),
            nn.ReLU(),
        )
        if init == "keras":
            for layer in self.layers:
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    keras_linear(layer)

    def forward(self, images: Tensor) -> Tensor:
        """images: (B, side, side) uint8, 0 to 255. Returns v: (B, hidden)."""
        return self.layers(images.unsqueeze(1).float() / 255)
