import DPDKShim
import LinkProtocols
import Packet
import Scheduler
import Synchronization

/// The addresses that Fibre Channel's nodes were granted on a bridge (FIP snooping). Any loop that receives a frame of FIP changes them, and all loops read them.
struct FIPGuard: ~Copyable {
    /// Whether a thread is using `snooper`.
    private let isTaken = Atomic<Bool>(false)
    private let snooper: UnsafeMutablePointer<FIPSnooper>
    private let seed: UInt64
    /// What `snooper` has granted, for loops to read.
    private let words: UnsafeMutablePointer<SharedWord>

    private struct SharedWord: ~Copyable {
        let value = Atomic<UInt64>(0)
    }

    init() {
        seed = .random(in: 0 ... .max)
        snooper = .onOwnLines(1)
        snooper.initialize(to: FIPSnooper(seed: seed))
        words = .onOwnLines(FIPSnooper.capacity)
        for place in 0..<FIPSnooper.capacity { (words + place).initialize(to: SharedWord()) }
    }

    deinit {
        snooper.deinitialize(count: 1)
        snooper.deallocate()
        words.deallocate()
    }

    @_noLocks
    func isGranted(_ address: UInt64, vlan: UInt16, port: PortIndex) -> Bool {
        let word = FIPSnooper.word(address, vlan: vlan, port: port), begin = FIPSnooper.place(of: word, seed: seed)
        for place in begin..<begin &+ FIPSnooper.ways where words[place].value.load(ordering: .relaxed) == word { return true }
        return false
    }

    /// Takes a frame of FIP, and decides whether it may pass. If other threads are taking theirs all the time, it may not; whoever sent it tries again.
    @_noLocks
    func receive(_ frame: FIPFrame, from port: PortIndex, vlan: UInt16, isWatched: Bool, at now: Nanoseconds) -> Bool {
        var attempts = 0
        while isTaken.exchange(true, ordering: .acquiring) {
            attempts &+= 1
            if attempts == 1_000 { return false }
            sluice_pause()
        }
        let passes = snooper.pointee.receive(frame, from: port, vlan: vlan, isWatched: isWatched, at: now)
        publish()
        isTaken.store(false, ordering: .releasing)
        return passes
    }

    /// Ends grants whose time is over, and those of ports that `stays` refuses. For the control thread.
    func advance(to now: Nanoseconds, stays: (PortIndex) -> Bool) {
        if isTaken.exchange(true, ordering: .acquiring) { return }
        snooper.pointee.advance(to: now, stays: stays)
        publish()
        isTaken.store(false, ordering: .releasing)
    }

    @_noLocks
    private func publish() {
        for place in 0..<FIPSnooper.capacity {
            let word = snooper.pointee.word(at: place)
            if words[place].value.load(ordering: .relaxed) != word { words[place].value.store(word, ordering: .relaxed) }
        }
    }
}

/// Judges the frames that came in by a port of a bridge that watches FIP: drops what nodes may not send, and remembers what they are granted. Frames that may
/// pass, and their lengths, are moved to the front. Returns their number.
@inline(never) @_noLocks
func watchFIP(
    _ fip: UnsafeMutablePointer<FIPGuard>, isWatched: Bool, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let frames = lcore.pointee.received, lengths = lcore.pointee.lengths
    var kept = 0
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        if mayPass(frame, fip, isWatched, source, lcore, snapshot) {
            frames[kept] = frame
            lengths[kept] = lengths[index]
            kept &+= 1
        } else {
            lcore.pointee.counters[Int(source)].count(drop: .fcoeNotGranted)
            noteDrop(frame, .fcoeNotGranted, source, lcore)
            sluice_frame_free(frame)
        }
    }
    return kept
}

@inline(__always) @_noLocks
private func mayPass(
    _ frame: Frame, _ fip: UnsafeMutablePointer<FIPGuard>, _ isWatched: Bool, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Bool {
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped), contiguous = Int(sluice_frame_contiguous(frame))
    // It is dropped later, as a runt.
    if contiguous < HeaderSize.ethernet { return true }
    switch UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self)) {
    case EtherType.fcoe, EtherType.fip, EtherType.vlan, EtherType.serviceVLAN: break
    default:
        // The addresses are for Fibre Channel only.
        if !isWatched || !FIPSnooper.isGrantable(UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt32.self))) &<< 16) { return true }
        return false
    }
    var record = FrameRecord()
    parse(bytes, contiguous: contiguous, length: sluice_frame_length(frame), into: &record)
    let vlans = snapshot.pointee.ports[unchecked: Int(source)].vlans
    let vlan = vlans == nil ? 0 : vlans.unsafelyUnwrapped.pointee.ingress(bytes, &record).vlan
    switch record.etherType {
    case EtherType.fip:
        guard let message = FIPFrame(bytes, count: contiguous, at: Int(record.l3Offset)) else { return !isWatched }
        return fip.pointee.receive(message, from: source, vlan: vlan, isWatched: isWatched, at: lcore.pointee.now)
    case EtherType.fcoe where isWatched:
        // Nodes with a forwarder send to it alone, and nodes without one to each other.
        let isMeant = FIPSnooper.isClaimable(record.source) ? FIPSnooper.isClaimable(record.destination) : !FIPSnooper.isGrantable(record.destination)
        return isMeant && FIPSnooper.isGrantable(record.source) && fip.pointee.isGranted(record.source, vlan: vlan, port: source)
    default: return !isWatched || !FIPSnooper.isGrantable(record.source)
    }
}

extension DataPlane {
    /// The guard of each bridge that has a port with `fip-snooping`. A bridge keeps it as long as it exists, so that grants outlive changes of other ports.
    func adoptFIPGuards() {
        for name in Set(connectedPorts.filter(\.settings.fipSnooping).map(\.settings.bridge)) where bridges[name] != nil && bridges[name]!.fip == nil {
            let made = UnsafeMutablePointer<FIPGuard>.onOwnLines(1)
            made.initialize(to: FIPGuard())
            bridges[name]!.fip = made
        }
        advanceFIPGuards()
    }

    /// The guard that sees what comes in by a port: its own, if the port is watched; and that of its bridge, if the port is physical, as forwarders are behind it.
    func fipGuard(of port: Port, _ watching: Set<String>) -> UnsafeMutablePointer<FIPGuard>? {
        guard port.settings.fipSnooping || port.isPhysical, watching.contains(port.settings.bridge) else { return nil }
        return bridges[port.settings.bridge]?.fip
    }

    /// Ends grants whose time is over, and those of ports that are gone or down.
    func advanceFIPGuards() {
        for (name, bridge) in bridges {
            guard let fip = bridge.fip else { continue }
            let up = Set(connectedPorts.filter { $0.settings.bridge == name && ($0.settings.fipSnooping || $0.isPhysical) && $0.sightNow.isUp }.map(\.index))
            fip.pointee.advance(to: runtime.now) { up.contains($0) }
        }
    }
}
