package ibkr

import (
	"context"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Details asks what the venue knows about a contract. A contract that fits
// nothing is an error of the venue (200); several that fit are all in the list.
func (s *Session) Details(ctx context.Context, c market.Contract) ([]market.Details, error) {
	id := s.newID()
	list := []market.Details{}
	msg := wire.ReqContractDetails{ReqID: id, Contract: wire.ContractOf(c)}
	err := s.ask(ctx, id, "reqContractDetails", msg, func(m wire.Message) (bool, error) {
		d, ok := m.(wire.ContractData)
		if !ok {
			return true, nil // the end
		}
		got, err := s.details(d)
		if err != nil {
			return false, err
		}
		list = append(list, got)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *Session) details(m wire.ContractData) (market.Details, error) {
	c, err := m.Contract.Market()
	if err != nil {
		return market.Details{}, err
	}
	d := market.Details{Contract: c, LongName: m.LongName}
	if m.MinTick != nil {
		d.MinTick = *m.MinTick
	}
	if m.SizeIncrement != nil {
		d.SizeStep = *m.SizeIncrement
	}
	zone := zoneOf(m.TimeZoneID)
	d.Trading = s.hours(c.Symbol, "trading", m.TradingHours, zone)
	d.Liquid = s.hours(c.Symbol, "liquid", m.LiquidHours, zone)
	return d, nil
}

// hours reads one of the venue's lists of hours. One that cannot be read is
// unknown, which is not closed.
func (s *Session) hours(symbol market.Symbol, which, text string, zone *time.Location) market.Hours {
	h, err := market.ParseHours(text, zone)
	if err != nil {
		s.log.Warn("hours_not_read", "symbol", string(symbol), "which", which, "error", err.Error())
		return nil
	}
	return h
}

// zoneOf returns the zone that the venue names, in whatever words, or New
// York's for one that nobody can translate.
func zoneOf(name string) *time.Location {
	at, err := wire.ParseTime("20200101 00:00:00 "+name, venueZone)
	if err != nil {
		return venueZone
	}
	return at.Location()
}
