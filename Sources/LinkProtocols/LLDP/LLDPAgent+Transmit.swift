import Packet

/// The transmit and the transmit timer state machines (IEEE 802.1AB-2016, 9.2, figures "transmit state machine" and "transmit timer state machine").
extension LLDPAgent {
    /// The variables of both machines, which have the standard's names but for times: these are points in time instead of counters that a tick lowers.
    struct Transmission: Sendable {
        /// Whether the machine is beyond TX_LLDP_INITIALIZE.
        var isActive = false
        /// When txShutdownWhile is over.
        var shutdownUntil: UInt64 = 0
        /// txTTR: when the next frame is due.
        var due: UInt64 = 0
        /// txFast: how many more frames are sent at the fast interval.
        var fastLeft = 0
        /// localChange: when something changed that has not been told yet.
        var changedAt: UInt64?
        /// txNow: since when a frame waits for credit.
        var waitsSince: UInt64?
        var credit = 0
        /// When the machine last counted a tick of a second.
        var ticked: UInt64 = 0
        /// A frame that withdraws what was told, and since when it has been due; nil: nothing is withdrawn.
        var withdrawal: (frame: [UInt8], since: UInt64)?

        /// TX_FAST_START.
        mutating func newNeighbour(_ settings: LLDPSettings, _ now: UInt64) {
            guard isActive else { return }
            if fastLeft == 0 { fastLeft = settings.fastCount }
            due = min(due, now)
        }

        /// TX_LLDP_INITIALIZE and TX_TIMER_INITIALIZE.
        mutating func begin(_ settings: LLDPSettings, _ now: UInt64) {
            (isActive, due, fastLeft, changedAt, waitsSince) = (true, now, 0, nil, nil)
            (credit, ticked) = (settings.mostCredit, now)
        }

        /// TX_TICK: a second adds one credit.
        mutating func tick(_ settings: LLDPSettings, _ now: UInt64) {
            guard now > ticked else { return }
            let ticks = (now - ticked) / 1_000_000_000
            ticked += ticks * 1_000_000_000
            credit = Int(min(UInt64(max(settings.mostCredit, 0)), UInt64(max(credit, 0)).plusSaturating(ticks)))
        }
    }

    private var mayTransmit: Bool { isUp && status.isTransmitting }

    /// Changes the timers.
    public mutating func set(_ settings: LLDPSettings, now: UInt64) {
        guard settings != self.settings else { return }
        self.settings = settings
        // The neighbours learn the new time to live.
        change(now)
    }

    /// Changes what the agent does. An agent that stops transmitting withdraws what it told; one that stops receiving forgets what it heard.
    public mutating func set(_ status: LLDPAdminStatus, now: UInt64) {
        guard status != self.status else { return }
        if transmission.isActive, !status.isTransmitting { withdraw(now) }
        self.status = status
        if !status.isReceiving { forget() }
    }

    /// Notes whether the port's link is up. While it is down nothing is sent or received. What was heard is forgotten at once, as another cable may be plugged.
    public mutating func set(isUp: Bool, now: UInt64) {
        guard isUp != self.isUp else { return }
        self.isUp = isUp
        if !isUp {
            transmission.isActive = false
            transmission.withdrawal = nil
            forget()
        }
    }

    /// Changes what is told. If the identifiers change, what was told under the old ones is withdrawn first.
    public mutating func set(_ local: LLDPLocal, mac: MACAddress, now: UInt64) {
        guard local != self.local || mac != self.mac else { return }
        if transmission.isActive, local.source != self.local.source { withdraw(now) }
        (self.local, self.mac) = (local, mac)
        removeNeighbours { $0.pdu.source == local.source }
        change(now)
    }

    /// Changes which organizationally specific TLVs are told.
    public mutating func set(organizational: [TLV], now: UInt64) {
        guard organizational != self.organizational else { return }
        self.organizational = organizational
        change(now)
    }

    private mutating func forget() {
        removeNeighbours { _ in true }
        if tooManyUntil != nil { version += 1 }
        tooManyUntil = nil
    }

    private mutating func change(_ now: UInt64) {
        if transmission.isActive, transmission.changedAt == nil { transmission.changedAt = now }
    }

    /// TX_SHUTDOWN_FRAME.
    private mutating func withdraw(_ now: UInt64) {
        transmission.isActive = false
        transmission.withdrawal = (LLDPDU(source: local.source, timeToLive: 0, tlvs: []).frame(from: mac).octets, now)
        transmission.shutdownUntil = now.plusSaturating(UInt64(settings.reinitDelay) * 1_000_000_000)
    }

    mutating func transmit(_ now: UInt64) -> [[UInt8]] {
        var frames = transmission.withdrawal.map { [$0.frame] } ?? []
        transmission.withdrawal = nil
        counters.framesOut += UInt64(frames.count)
        if !transmission.isActive, mayTransmit, transmission.shutdownUntil <= now { transmission.begin(settings, now) }
        guard transmission.isActive else { return frames }
        transmission.tick(settings, now)
        var signals = false
        if transmission.due <= now {
            // TX_TIMER_EXPIRES.
            if transmission.fastLeft > 0 { transmission.fastLeft -= 1 }
            signals = true
        }
        if signals || transmission.changedAt != nil {
            // SIGNAL_TX.
            transmission.changedAt = nil
            transmission.waitsSince = transmission.waitsSince ?? now
            let interval = transmission.fastLeft > 0 ? settings.fastInterval : settings.interval
            transmission.due = now.plusSaturating(UInt64(max(interval, 1)) * 1_000_000_000)
        }
        if transmission.waitsSince != nil, transmission.credit > 0 {
            // TX_INFO_FRAME.
            let pdu = LLDPDU(source: local.source, timeToLive: max(settings.timeToLive, 1), tlvs: local.tlvs(organizational))
            let (octets, leftOut) = pdu.frame(from: mac)
            if leftOut != 0 { counters.lengthErrors += 1 }
            counters.framesOut += 1
            frames.append(octets)
            transmission.waitsSince = nil
            transmission.credit -= 1
        }
        return frames
    }

    var transmissionDeadline: UInt64? {
        if let withdrawal = transmission.withdrawal { return withdrawal.since }
        guard transmission.isActive else { return mayTransmit ? transmission.shutdownUntil : nil }
        let credit = transmission.waitsSince.map { transmission.credit > 0 ? $0 : transmission.ticked.plusSaturating(1_000_000_000) }
        return [transmission.due, transmission.changedAt, credit].compactMap(\.self).min()
    }
}
