package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"robotrader/broker/order"
)

// TestSettle: a word about an order needs the token, an order, one of three words
// and a reason, and is told with what became of the order.
func TestSettle(t *testing.T) {
	c := &fakeControl{}
	s := controlled(c)
	for text, want := range map[string]string{
		`{"ref":"a","as":"cancelled","reason":"seen in TWS"}`: "",
		`{"ref":"a","as":"gone","reason":"x"}`:                `as "gone" is none of absent, filled, cancelled`,
		`{"as":"absent","reason":"x"}`:                        "is not the reference",
		`{"ref":"a","as":"absent","reason":" "}`:              "reason is empty",
		`{}`:                                                  "is not the reference",
	} {
		res := answer(s, "POST", "/api/orders/settle", holds(token), body("application/json", text))
		if want != "" {
			if res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), strings.ReplaceAll(want, `"`, `\"`)) {
				t.Errorf("%s: %d %s", text, res.Code, res.Body)
			}
			continue
		}
		var done Done
		if err := json.Unmarshal(res.Body.Bytes(), &done); err != nil || res.Code != http.StatusOK || done.Order == nil || done.Order.State != order.Cancelled || done.Mode != nil {
			t.Errorf("%s: %d %s", text, res.Code, res.Body)
		}
	}
	if len(c.modes) != 1 || c.modes[0] != "settle a as cancelled: seen in TWS" {
		t.Errorf("asked %q", c.modes)
	}
	if res := answer(s, "POST", "/api/orders/settle", body("application/json", `{"ref":"a","as":"cancelled","reason":"x"}`)); res.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", res.Code)
	}
	if res := answer(s, "POST", "/api/halt", holds(token), body("application/json", `{"ref":"a"}`)); res.Code != http.StatusBadRequest {
		t.Errorf("halt of an order: %d", res.Code)
	}
	c.err = fmt.Errorf("%w: it works", ErrNotNow)
	if res := answer(s, "POST", "/api/orders/settle", holds(token), body("application/json", `{"ref":"a","as":"cancelled","reason":"x"}`)); res.Code != http.StatusConflict || !strings.Contains(res.Body.String(), "its own window") {
		t.Errorf("contradicted: %d %s", res.Code, res.Body)
	}
}
