package gateway

import (
	"strings"
	"testing"
	"time"
)

// Every fault of a configuration is told, and each at its own.
func TestConfigFaults(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	all := DefaultConfig()
	var names []string
	for name, spoil := range map[string]func(*Config){
		`listen ""`:           func(c *Config) { c.Listen = "" },
		"server_version 175":  func(c *Config) { c.ServerVersion = 175 },
		"accounts is empty":   func(c *Config) { c.Accounts = nil },
		"speed -1":            func(c *Config) { c.Speed = -1 },
		"max_clients 0":       func(c *Config) { c.MaxClients = 0 },
		"max_rate 100001":     func(c *Config) { c.MaxRate = 100_001 },
		"queue_bytes 1":       func(c *Config) { c.QueueBytes = 1 },
		"hello_timeout 0s":    func(c *Config) { c.HelloTimeout = 0 },
		"write_timeout -1s":   func(c *Config) { c.WriteTimeout = -time.Second },
		"\"sometimes\"":       func(c *Config) { c.FarmNotices = "sometimes" },
		"\"15,9\"":            func(c *Config) { c.IDOrder = "15,9" },
		"\"maybe\"":           func(c *Config) { c.EarlyRequests = "maybe" },
		"\"326 and a curse\"": func(c *Config) { c.IDInUse = "326 and a curse" },
		"no_request_id 7":     func(c *Config) { c.NoRequestID = 7 },
		"master_client_id -2": func(c *Config) { c.MasterClientID = -2 },
	} {
		c := DefaultConfig()
		spoil(&c)
		spoil(&all)
		names = append(names, name)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := all.Validate()
	for _, name := range names {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("all at once leave out %s", name)
		}
	}
}
