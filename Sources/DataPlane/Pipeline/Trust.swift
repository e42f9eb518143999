import Configuration
import DCB
import LinkProtocols
import Packet

/// The row of the protocol table that frames with one mark take at a port that is trusted to say priorities: that of their protocol if it has the priority that
/// the mark says, and otherwise that of the priority itself.
struct TrustedRow {
    /// The row of the priority.
    private var row: UInt8
    /// The rows that have the priority, a bit for each.
    private var agreeing: UInt64

    @inline(__always) @_noLocks
    init(row: UInt8, agreeing: UInt64) {
        self.row = row
        self.agreeing = agreeing
    }

    /// Frames take the rows of their protocols.
    @inline(__always) static var untrusted: TrustedRow { @_noLocks get { TrustedRow(row: 0, agreeing: .max) } }

    /// The row of a frame whose protocol has the row `own`.
    @inline(__always) @_noLocks
    func or(_ own: UInt8) -> UInt8 { (agreeing &>> UInt64(own)) & 1 != 0 ? own : row }
}

/// How frames that come in by a trusted port say their priority.
struct TrustView {
    /// Whether the DSCP says it, and not the PCP.
    var byDSCP = false
    /// The priority of each DSCP.
    var priorities = InlineArray<64, UInt8>(repeating: 0)
    /// For each priority its row, and the rows that have the same priority, a bit for each.
    var rows = InlineArray<8, UInt8>(repeating: 0)
    var agreeing = InlineArray<8, UInt64>(repeating: 0)
}

/// What the mark of a frame that came in by a trusted port says of its row.
@inline(never) @_noLocks
func trusted(_ record: UnsafePointer<FrameRecord>, _ source: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> TrustedRow {
    guard Int(source) < snapshot.pointee.trusts.count else { return .untrusted }
    let view = snapshot.pointee.trusts.baseAddress.unsafelyUnwrapped + Int(source)
    let priority: UInt8
    if view.pointee.byDSCP {
        if record.pointee.dscp == FrameRecord.noDSCP { return .untrusted }
        priority = view.pointee.priorities[unchecked: Int(record.pointee.dscp & 63)]
    } else {
        if record.pointee.pcp == FrameRecord.noPCP { return .untrusted }
        priority = record.pointee.pcp
    }
    return TrustedRow(row: view.pointee.rows[unchecked: Int(priority & 7)], agreeing: view.pointee.agreeing[unchecked: Int(priority & 7)])
}

extension DataPlane {
    /// How frames say their priority at each port, by `PortIndex`; empty if no port is trusted.
    func trusts(of ports: [Port]) -> UnsafeMutableBufferPointer<TrustView> {
        let trusted = ports.filter { $0.settings.trust != .none }
        if trusted.isEmpty { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let result = UnsafeMutableBufferPointer<TrustView>.allocate(capacity: maxPorts)
        result.initialize(repeating: TrustView())
        for port in trusted { result[Int(port.index)] = trust(of: port) }
        return result
    }

    private func trust(of port: Port) -> TrustView {
        let applications = discovery.published[port.index]?.applications ?? []
        var view = TrustView()
        view.byDSCP = port.settings.trust == .dscp
        for dscp in 0..<64 {
            let own = port.settings.dscpPriorities.first { $0.identifier == dscp }.map { UInt8($0.priority) }
            view.priorities[dscp] = own ?? applications.priority(of: [.dscp(UInt8(dscp))]) ?? DifferentiatedServices.priorities[dscp]
        }
        for item in model.protocolTable {
            guard let row = protocolNumbers[item.name] else { continue }
            view.agreeing[Int(applications.priority(of: item.matches) ?? UInt8(item.pcp)) & 7] |= 1 << UInt64(row)
        }
        for priority in 0..<8 { view.rows[priority] = UInt8(protocolNumbers[ProtocolSettings.nameOfPriority(priority)] ?? 0) }
        return view
    }
}
