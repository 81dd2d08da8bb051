package guard

import (
	"strconv"
	"strings"

	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// id is that of a change or cancel. Market time and a count make it one that no
// earlier life has used.
func (g *Guard) id(v View, e *books.Entry) string {
	plain := strings.ReplaceAll(string(e.Symbol), " ", ".")
	return books.GuardPrefix + plain + "." + strconv.FormatInt(v.Market.Unix(), 36) + "." +
		strconv.FormatInt(e.OrderID, 36) + "." + strconv.FormatInt(int64(g.asked%1296), 36)
}

func (g *Guard) cancel(v View, e *books.Entry, why string) *order.Intent {
	return &order.Intent{
		ID: g.id(v, e), Action: order.Cancel, Strategy: books.OwnStrategy, Symbol: e.Symbol, Target: e.Ref,
		Reason: why, At: v.Market,
	}
}

func (g *Guard) resize(v View, e *books.Entry, qty market.Qty, price *market.Price) *order.Intent {
	return &order.Intent{
		ID: g.id(v, e), Action: order.Modify, Strategy: books.OwnStrategy, Symbol: e.Symbol, Side: e.Side, Type: e.Type, TIF: e.TIF,
		Qty: qty, Stop: price, OCA: e.OCA, Target: e.Ref, Reason: "follows the position", At: v.Market,
	}
}
