/// The receive state machine (IEEE 802.1AB-2016, 9.2, figure "receive state machine").
extension LLDPAgent {
    /// What an agent made of a frame.
    public enum Verdict: Equatable, Sendable {
        /// A neighbour that was not known.
        case new
        /// A known neighbour tells something else.
        case changed
        /// A known neighbour repeats itself.
        case refreshed
        /// A neighbour withdraws what it told; it may not have been known.
        case shutdown
        /// There is no room for a new neighbour.
        case tooMany
        /// The frame is the agent's own, which came back through a loop.
        case own
        /// The port is down, or its agent does not receive.
        case disabled
        case fault(LLDPDU.Fault)
    }

    /// Processes a whole Ethernet frame with up to two tags. If it leads to frames, they are due at once: see `nextDeadline`.
    @discardableResult
    public mutating func receive(_ frame: [UInt8], now: UInt64) -> Verdict {
        guard isUp, status.isReceiving else { return .disabled }
        let reading: LLDPDU.Reading
        do throws(LLDPDU.Fault) {
            reading = try LLDPDU.read(frame, isKnown: known.contains)
        } catch {
            if error == .notForAgent { return .fault(error) }
            counters.framesIn += 1
            counters.framesDiscarded += 1
            counters.framesInErrors += 1
            return .fault(error)
        }
        counters.framesIn += 1
        if reading.isInError { counters.framesInErrors += 1 }
        counters.tlvsDiscarded += reading.discardedTLVs
        counters.tlvsUnrecognized += reading.unrecognizedTLVs
        guard reading.pdu.source != local.source else {
            counters.framesDiscarded += 1
            return .own
        }
        return take(reading, now)
    }

    private mutating func take(_ reading: LLDPDU.Reading, _ now: UInt64) -> Verdict {
        let pdu = reading.pdu
        if pdu.timeToLive == 0 {
            removeNeighbours { $0.pdu.source == pdu.source }
            return .shutdown
        }
        let until = now.plusSaturating(UInt64(pdu.timeToLive) * 1_000_000_000)
        if let place = neighbours.firstIndex(where: { $0.pdu.source == pdu.source }) {
            neighbours[place].until = until
            guard neighbours[place].pdu != pdu || neighbours[place].mac != reading.sender else { return .refreshed }
            (neighbours[place].pdu, neighbours[place].mac) = (pdu, reading.sender)
            version += 1
            return .changed
        }
        guard neighbours.count < settings.mostNeighbours else {
            counters.framesDiscarded += 1
            if tooManyUntil == nil { version += 1 }
            tooManyUntil = max(tooManyUntil ?? 0, until)
            return .tooMany
        }
        counters.inserted += 1
        version += 1
        neighbours.append(LLDPNeighbour(pdu: pdu, mac: reading.sender, number: counters.inserted, since: now, until: until))
        transmission.newNeighbour(settings, now)
        return .new
    }

    mutating func removeNeighbours(_ isGone: (LLDPNeighbour) -> Bool, counting: (inout LLDPCounters) -> Void = { _ in }) {
        let before = neighbours.count
        neighbours.removeAll(where: isGone)
        for _ in neighbours.count..<before {
            counters.deleted += 1
            counting(&counters)
        }
        if neighbours.count != before { version += 1 }
    }
}
