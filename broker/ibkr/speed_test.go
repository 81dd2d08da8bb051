package ibkr

import (
	"math"
	"testing"
)

// TestOnlyAGatewayHereHasAnotherSpeed: one elsewhere may be real.
func TestOnlyAGatewayHereHasAnotherSpeed(t *testing.T) {
	for _, tt := range []struct {
		gateway string
		speed   float64
		want    bool
	}{
		{"10.0.0.7:4002", 1, true},
		{"10.0.0.7:4002", 60, false},
		{"gateway-paper", 60, true},
		{"localhost:4002", 60, true},
		{"[::1]:4002", 60, true},
		{"localhost.example:4002", 60, false},
		{"127.0.0.1:4002", 0, false},
		{"127.0.0.1:4002", -1, false},
		{"127.0.0.1:4002", 1001, false},
		{"127.0.0.1:4002", math.NaN(), false},
	} {
		c := DefaultConfig()
		c.Gateway, c.Speed = tt.gateway, tt.speed
		if err := c.Validate(); (err == nil) != tt.want {
			t.Errorf("%s at speed %v: %v", tt.gateway, tt.speed, err)
		}
	}
}
