package feed

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/order"
)

func TestRiskTellsUseAndLimits(t *testing.T) {
	var r Risk
	r.decided(order.Decision{Allowed: true, Saw: order.SawOf(
		"day_loss", "12.5", "gross", "400", "bid", "100", "currency", "USD", "limits", "max_daily_loss=2000 max_leverage=1 off=",
	)}, noon)
	r.decided(order.Decision{Saw: order.SawOf("link", "ready")}, noon.Add(1)) // a cancel
	want := Risk{
		Allowed: 1, Refused: 1, Use: map[string]string{"day_loss": "12.5", "gross": "400"},
		Limits: map[string]string{"max_daily_loss": "2000", "max_leverage": "1", "off": ""}, Currency: "USD", At: &noon,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}

	// An exit passes the rules on losses, so its decision has no word of them.
	told := r.Use
	r.decided(order.Decision{Allowed: true, Saw: order.SawOf("reduction", "true", "gross", "0", "limits", "max_daily_loss=2000")}, noon.Add(2))
	if diff := cmp.Diff(map[string]string{"day_loss": "12.5", "gross": "0"}, r.Use); diff != "" {
		t.Error(diff)
	}
	if told["gross"] != "400" {
		t.Error("what was handed out before has changed")
	}
}
