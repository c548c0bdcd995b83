"""A Keras speech toolkit: recognition with recurrent networks and CTC."""
