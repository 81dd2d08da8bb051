package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// Story is what the journal knows about one order, or about one intent that
// made none.
type Story struct {
	// Intents are what was asked about it, oldest first: the order itself, then
	// its changes and cancels. None is of an order that was made elsewhere.
	Intents []broker.IntentRecord `json:"intents"`
	States  []StateChange         `json:"states"` // oldest first, none for an intent that made no order
	Fills   []order.Fill          `json:"fills"`  // oldest first
}

// StateChange is an order as it stood from Wall on.
type StateChange struct {
	Wall   time.Time   `json:"wall"`
	Market time.Time   `json:"market"` // zero when there was no market time yet
	Order  order.Order `json:"order"`
}

// Why returns the stories of an intent's id or an order's number, none when
// nothing is known. A number may be that of several orders, one of each client
// id.
func (r *Reader) Why(ctx context.Context, id string) ([]Story, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number < 0 {
		number = 0
	}
	keys, err := collect(ctx, r.db, scanKey, `SELECT client_id, order_id, id FROM intents WHERE id = ?1
		UNION SELECT client_id, order_id, '' FROM orders WHERE ?2 > 0 AND order_id = ?2 ORDER BY 1, 2, 3 DESC`, id, number)
	if err != nil {
		return nil, failed(r.path, "why", err)
	}
	var stories []Story
	told := map[[2]int64]bool{}
	for _, k := range keys {
		pair := [2]int64{k.client, k.order}
		if k.order != 0 && told[pair] {
			continue
		}
		told[pair] = true
		s, err := r.story(ctx, k)
		if err != nil {
			return nil, failed(r.path, "why", err)
		}
		stories = append(stories, s)
	}
	return stories, nil
}

// storyKey names an order by its number, or an intent that made none.
type storyKey struct {
	client, order int64
	intent        string
}

func scanKey(scan func(...any) error) (k storyKey, err error) {
	err = scan(&k.client, &k.order, &k.intent)
	return k, err
}

func (r *Reader) story(ctx context.Context, k storyKey) (s Story, err error) {
	// A refused cancel or change has no number, so its target tells.
	s.Intents, err = collect(ctx, r.db, scanIntent, `SELECT wall, account, client_id, order_id, intent, decision, made FROM intents
		WHERE id = ?3 OR ?2 > 0 AND (client_id = ?1 AND order_id = ?2 OR json_extract(intent, '$.target') IN (
			SELECT id FROM intents WHERE client_id = ?1 AND order_id = ?2 AND made IS NOT NULL))
		ORDER BY seq`, k.client, k.order, k.intent)
	if err != nil || k.order == 0 {
		return s, err
	}
	s.States, err = collect(ctx, r.db, func(scan func(...any) error) (c StateChange, err error) {
		var wall int64
		var at sql.NullInt64
		var data string
		if err := scan(&wall, &at, &data); err != nil {
			return c, err
		}
		c.Wall, c.Market = time.Unix(0, wall).UTC(), unstamp(at)
		if err := json.Unmarshal([]byte(data), &c.Order); err != nil {
			return c, fmt.Errorf("%w: order %.200q: %w", ErrCorrupt, data, err)
		}
		return c, nil
	}, `SELECT wall, market, data FROM order_events
		WHERE json_extract(data, '$.client_id') = ?1 AND json_extract(data, '$.order_id') = ?2 ORDER BY seq`, k.client, k.order)
	if err != nil {
		return s, err
	}
	s.Fills, err = collect(ctx, r.db, scanFill, "SELECT "+fillColumns+" WHERE x.client_id = ?1 AND x.order_id = ?2 ORDER BY x.seq", k.client, k.order)
	return s, err
}
