import Packet

/// What one physical port and its neighbours tell each other: LLDP, and DCBX within it.
///
/// Frames and times go in; frames come out, and `dcbx.operational` is what the port is to do. See `LLDPAgent` and `DCBX`.
public struct LinkDiscovery: Sendable {
    public private(set) var agent: LLDPAgent
    public private(set) var dcbx: DCBX
    /// The value of `LLDPAgent.version` that `dcbx` knows.
    private var heard: UInt64 = 0

    public init(_ settings: LLDPSettings, status: LLDPAdminStatus, dcbx: DCBXSettings, mac: MACAddress, local: LLDPLocal) {
        agent = LLDPAgent(settings, status: status, mac: mac, local: local, known: DCBXTLV.all)
        self.dcbx = DCBX(dcbx, mac: mac)
    }

    /// Changes the settings. What neighbours told is kept.
    public mutating func set(_ settings: LLDPSettings, status: LLDPAdminStatus, dcbx: DCBXSettings, now: UInt64) {
        agent.set(settings, now: now)
        agent.set(status, now: now)
        self.dcbx.settings = dcbx
        follow(now)
    }

    /// Changes what the port tells of itself, and its address.
    public mutating func set(_ local: LLDPLocal, mac: MACAddress, now: UInt64) {
        agent.set(local, mac: mac, now: now)
        dcbx.mac = mac
        follow(now)
    }

    public mutating func set(isUp: Bool, now: UInt64) {
        agent.set(isUp: isUp, now: now)
        follow(now)
    }

    @discardableResult
    public mutating func receive(_ frame: [UInt8], now: UInt64) -> LLDPAgent.Verdict {
        let verdict = agent.receive(frame, now: now)
        follow(now)
        return verdict
    }

    /// Has the time advance to `now`. Returns the frames that are due: untagged, without FCS.
    public mutating func advance(to now: UInt64) -> [[UInt8]] {
        var frames = agent.advance(to: now)
        // Where a neighbour's time has run out, what the port tells may have changed.
        if heard != agent.version {
            follow(now)
            frames += agent.advance(to: now)
        }
        return frames
    }

    public var nextDeadline: UInt64? { agent.nextDeadline }

    /// Brings DCBX up to what neighbours tell, and what the port tells up to that.
    private mutating func follow(_ now: UInt64) {
        if heard != agent.version {
            heard = agent.version
            dcbx.hear(agent.neighbours, isComplete: !agent.hasTooManyNeighbours)
        }
        agent.set(organizational: dcbx.tlvs, now: now)
    }
}
