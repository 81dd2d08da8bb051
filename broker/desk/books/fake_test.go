package books

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

var day = time.Date(2026, 7, 22, 13, 30, 0, 0, time.UTC)

// described is what the venue says of an order to buy 10 AAPL.
func described(id int64, ref string, sig order.Signal) broker.OrderReport {
	return broker.OrderReport{Order: order.Order{
		Ref: ref, OrderID: id, PermID: 9000 + id, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Buy,
		Type: order.Market, TIF: order.Day, Qty: market.Shares(10),
	}, Status: "x", Signal: sig, Known: true}
}

func status(id int64, sig order.Signal) broker.StatusReport {
	return broker.StatusReport{OrderID: id, PermID: 9000 + id, ClientID: 1, Status: "x", Signal: sig, Known: true}
}

func executed(id int64, ref, exec, qty string) broker.ExecutionReport {
	return broker.ExecutionReport{Fill: order.Fill{
		ExecID: exec, Ref: ref, OrderID: id, PermID: 9000 + id, ClientID: 1, Account: "DU1", Symbol: "AAPL",
		Side: order.Buy, Qty: market.MustQty(qty), Price: market.MustPrice("187.25"), At: day, Currency: "USD",
	}}
}

func cost(exec string) broker.CommissionReport {
	return broker.CommissionReport{ExecID: exec, Commission: market.MustMoney("1"), Currency: "USD"}
}

// at puts another price in an execution.
func at(x broker.ExecutionReport, price string) broker.ExecutionReport {
	x.Fill.Price = market.MustPrice(price)
	return x
}
