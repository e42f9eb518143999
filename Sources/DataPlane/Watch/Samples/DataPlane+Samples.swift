import Configuration

extension DataPlane {
    /// Has samples taken of all frames that come in by ports, in place of whatever was sampled before. When this returns, no poll loop uses the sampler before:
    /// what it has can still be taken, and then it must be closed.
    public func beginSampling(rate: Int, longest: Int) -> Sampler {
        let sampler = Sampler(rate: rate, longest: longest, lcores: runtime.lcores.count)
        self.sampler = sampler
        exchange { snapshot(for: $0, leavingOut: []) }
        return sampler
    }

    /// Ends sampling; what was said of the sampler before holds.
    public func endSampling() {
        guard sampler != nil else { return }
        sampler = nil
        exchange { snapshot(for: $0, leavingOut: []) }
    }

    /// A port as an interface in the sense of SNMP (RFC 2863), with an index that it keeps as long as it is open.
    public struct InterfaceReport: Sendable {
        public let index: UInt16
        public let name: String
        /// In bit/s; 0: it is not known.
        public let speed: UInt64
        public let isUp: Bool
        public let received: Amount
        public let sent: Amount
        /// Frames that came in damaged, frames that came in and were dropped, and frames that were dropped instead of leaving.
        public let receiveErrors: UInt64
        public let receiveDrops: UInt64
        public let sendDrops: UInt64
    }

    /// The names of the ports that are open, and their indices.
    public var interfaceIndices: [(name: String, index: UInt16)] { ports.values.map { ($0.settings.name, $0.index) }.sorted { $0.index < $1.index } }

    /// The report of a port; nil: it is not open.
    public func interfaceReport(_ name: String) -> InterfaceReport? {
        guard let port = ports[name] else { return nil }
        let sum = counted(at: port.index, port.link.readLosses())
        var received: UInt64 = 0, sent: UInt64 = 0
        for reason in DropReason.allCases where reason != .receiveError {
            if reason.rawValue < DropReason.portDown.rawValue { received &+= sum.drops[Int(reason.rawValue)] } else { sent &+= sum.drops[Int(reason.rawValue)] }
        }
        return InterfaceReport(
            index: port.index, name: name, speed: UInt64(port.link.megabits) * 1_000_000, isUp: port.condition == "up",
            received: Amount(frames: sum.receivedFrames, bytes: sum.receivedBytes), sent: Amount(frames: sum.sentFrames, bytes: sum.sentBytes),
            receiveErrors: sum.drops[Int(DropReason.receiveError.rawValue)], receiveDrops: received, sendDrops: sent)
    }
}
