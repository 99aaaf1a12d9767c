package hub

// Sessions is how many MQTT sessions there are, with and without connection.
func (h *Hub) Sessions() int { return h.broker.Stats().Sessions }
