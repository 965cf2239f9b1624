"""What Lucent calls ``misc``: a reducer of channels, and pictures in notebooks."""
