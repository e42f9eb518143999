import Bridge
import Packet

/// Decides which ports receive a frame that is flooded.
struct FloodGate {
    /// Ports with any of these flags receive no copy.
    private var excluded: PortFlags
    /// Ports without any of these flags receive no copy. If it is `none`, all ports do.
    private var required = PortFlags.none
    /// The port that the frame came in by; `flooded`, which is no port, if the frame may also leave there.
    private var own: PortIndex
    /// If the frame came back from the uplink, the port of the guest that sent it.
    private var sender: PortIndex = flooded

    @inline(__always) @_noLocks
    init(_ record: UnsafeMutablePointer<FrameRecord>, from source: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) {
        let flags = snapshot.pointee.ports[unchecked: Int(source)].flags
        let kind: PortFlags = record.pointee.flags.has(.multicast) ? isBroadcast(record.pointee.destination) ? .noBroadcast : .noMulticast : .noUnknown
        excluded = kind | .shut
        own = source
        if flags.has(.ways) { restrict(record, flags, source, snapshot) }
    }

    @inline(never) @_noLocks
    private mutating func restrict(
        _ record: UnsafeMutablePointer<FrameRecord>, _ flags: PortFlags, _ source: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>
    ) {
        if flags.has(.isolated) { excluded = excluded | .isolated }
        if flags.has(.hairpin) { own = flooded }
        // A spanning tree frame is received by no other kind of port.
        let isBPDU = isBPDU(record.pointee.destination)
        if isBPDU { required = .forwardsBPDUs }
        if flags.has(.bridged) { excluded = excluded | .detours }
        if flags.has(.detours) { excluded = excluded | .local }
        if flags.has(.wire), !isBPDU {
            let sender = localSender(of: record.pointee.source, cameBy: source, snapshot)
            if sender.isNone { return }
            self.sender = sender.port
            let kind = snapshot.pointee.ports[unchecked: Int(sender.port)].flags
            required = receivers(ofReflected: kind)
        }
    }

    /// The gate for ports that have joined the frame's group: `mcast-flood` concerns only multicasts that nobody has asked for (net/bridge/br_forward.c,
    /// `br_multicast_flood`).
    @inline(__always) var forMembers: FloodGate {
        @_noLocks get {
            var gate = self
            gate.excluded = excluded.without(.noMulticast)
            return gate
        }
    }

    @inline(__always) @_noLocks
    func admits(_ port: PortIndex, _ flags: PortFlags) -> Bool {
        port != own && port != sender && !flags.has(excluded) && (required == .none || flags.has(required))
    }
}

/// The kinds of ports that receive frames that came back from the uplink, for a sender's port of the given kind: those that did not receive the frame directly.
@inline(__always) @_noLocks
func receivers(ofReflected sender: PortFlags) -> PortFlags {
    if sender.has(.vepa) { return .vepa | .bridged }
    return sender.has(.bridged) ? .vepa : .nobody
}

/// The port and guest that sent a frame which has come back by the uplink `port`; `none` if the address is not known to belong to a port of this bridge.
@inline(never) @_noLocks
func localSender(of address: UInt64, cameBy port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> FDBValue {
    let owner = owner(of: address, port, snapshot)
    if !owner.isNone { return owner.port != port && isUp(owner.port, snapshot) ? owner : .none }
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    let entry = snapshot.pointee.bridges[unchecked: Int(view.pointee.bridge)].fdb.lookup(mac: address)
    return entry.port == port ? .none : entry
}

@inline(__always) @_noLocks
func isBroadcast(_ destination: UInt64) -> Bool { destination & 0xffff_ffff_ffff == 0xffff_ffff_ffff }

/// Whether a destination is the group address of spanning tree frames.
@inline(__always) @_noLocks
func isBPDU(_ destination: UInt64) -> Bool { destination & 0xffff_ffff_ffff == BridgeRules.reservedGroup }
