"""What a frozen backbone gives for images: computed once, kept, and learnt from."""
