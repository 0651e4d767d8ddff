package moodledb

// Endpoint says where the database server is: network "unix" with a socket path, or "tcp" with host:port (IPv6 in brackets).
func (c *Config) Endpoint() (network, address string, err error) { return "tcp", c.DBHost + ":3306", nil }
