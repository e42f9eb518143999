import Bridge
import DCB
import DPDKShim
import Packet
import Scheduler

/// Stage 4: what classification needs to know about one output, which is the same for all frames that leave by it. Every frame that leaves in a class is
/// classified by it, whether it goes to one port or to many.
struct Way {
    var output: PortIndex
    var key: GroupKey
    var hasTree = false
    var port: UnsafeMutablePointer<PortView>
    var tags = false
    /// The value of `PortVLANs.forms`; it points to nothing if the bridge has no VLANs.
    var forms: UnsafeMutablePointer<PortVLANs.Form>
    var hasVLANs = false
    /// The offset in a record of the guest by which the tree classifies.
    var guestPlace = 0
    /// `TreeView.guestShift`.
    var guestShift = 0
    /// The port's `maxFrame`: MTU + 14 bytes.
    var longest: UInt32 = 0
    var leaves: UnsafeMutablePointer<ClassID>
    var lines: UnsafeRawPointer

    @inline(__always) @_noLocks
    private init(_ output: PortIndex, _ fate: Fate) {
        self.output = output
        key = GroupKey(fate, output)
        let nothing = UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped
        port = nothing.assumingMemoryBound(to: PortView.self)
        forms = nothing.assumingMemoryBound(to: PortVLANs.Form.self)
        leaves = nothing.assumingMemoryBound(to: ClassID.self)
        lines = UnsafeRawPointer(nothing)
    }

    @inline(__always) @_noLocks
    init(to output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
        self.init(output, output == flooded ? .flood : .portDown)
        if output == flooded { return }
        port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(output)
        guard let link = port.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0 else { return }
        let staged = lcore.pointee.outputs + Int(output)
        // The output must have room for the whole burst.
        if staged.pointee.count &+ burstSize > Output.capacity { sendTouched(lcore, snapshot) }
        key = GroupKey(staged.pointee.isParked ? .queue : .pass, way: port.pointee.way)
        hasTree = true
        tags = port.pointee.tags
        if let vlans = port.pointee.vlans {
            hasVLANs = true
            forms = vlans.pointee.forms
        }
        longest = port.pointee.maxFrame
        let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
        guestPlace = view.pointee.bySource ? FrameRecord.sourceGuestOffset : FrameRecord.destinationGuestOffset
        guestShift = Int(view.pointee.guestShift)
        leaves = view.pointee.leaves.baseAddress.unsafelyUnwrapped
        lines = view.pointee.lines
    }

    /// Decides what happens to a frame that leaves by this output: finds the leaf from output, guest and protocol, and the number of bytes by which the frame
    /// grows when its tag is added or removed (modulo 2^32 if it shrinks).
    ///
    /// - Parameters:
    ///   - run: the number of the frame's run in its burst. A key without a leaf holds it instead.
    ///   - tags: the value of `tagging`, or a constant equal to it.
    ///   - isUniform: set to false if the frame does not leave by this output, so that its key differs from those of others in more than leaf and tag.
    @inline(__always) @_noLocks
    func classify(
        _ record: UnsafeMutablePointer<FrameRecord>, run: Int, _ tags: Tagging, _ isUniform: inout Bool
    ) -> (key: GroupKey, growth: UInt32) {
        let guest = UnsafeRawPointer(record).loadUnaligned(fromByteOffset: guestPlace, as: GuestIndex.self)
        let leaf = leaves[Int(guest) &<< guestShift &+ Int(record.pointee.protocolID)]
        sluice_prefetch(lines + Int(leaf) &* 128)
        var found = key.with(leaf: leaf), growth: UInt32 = 0
        if tags == .priority || tags == .vlans && (self.tags || !PortVLANs.keepsTag(record, forms)) {
            guard let tag = tags == .priority ? EgressTag(port.pointee.tagger.unsafelyUnwrapped.egress(record)) : egressAction(record, port) else {
                // The destination was learned before the port left the VLAN.
                isUniform = false
                return (GroupKey(.vlanNotAllowed, output).with(leaf: UInt16(truncatingIfNeeded: run)), 0)
            }
            found = found.with(tag: tag)
            growth = tag.growth
        }
        if record.pointee.length > longest, isTooLong(record) {
            isUniform = false
            return (GroupKey(.exceedsMTU, output).with(leaf: UInt16(truncatingIfNeeded: run)), 0)
        }
        return (found, growth)
    }

    /// What the output does to the tags of frames.
    @inline(__always) var tagging: Tagging { @_noLocks get { hasVLANs ? .vlans : tags ? .priority : .none } }

    /// The guest that a flooded frame goes to: the one that owns the port's traffic of unknown addresses in the frame's VLAN.
    @inline(__always) @_noLocks
    func receiver(_ record: UnsafeMutablePointer<FrameRecord>) -> GuestIndex {
        port.pointee.vlans?.pointee.guests?[Int(PortVLANs.vlan(of: record.pointee.destination))] ?? port.pointee.defaultGuest
    }

    /// Whether a frame is too long, not counting its tags.
    @inline(never) @_noLocks
    private func isTooLong(_ record: UnsafeMutablePointer<FrameRecord>) -> Bool {
        record.pointee.length > longest &+ UInt32(HeaderSize.vlanTag) &* UInt32(record.pointee.tagCount)
    }
}

/// What an output does to the tags of frames. It is passed as a constant everywhere.
enum Tagging {
    case none, priority, vlans
}

/// What happens to the tag of a frame that leaves by a port, whether or not its bridge has VLANs; nil if the port is not a member of the frame's VLAN.
@inline(__always) @_noLocks
func egressAction(_ record: UnsafeMutablePointer<FrameRecord>, _ port: UnsafeMutablePointer<PortView>) -> EgressTag? {
    egressAction(record, port, pcp: port.pointee.tagger?.pcp(row: record.pointee.protocolID) ?? PriorityTagger.leave)
}

/// - Parameter pcp: the priority that the frame leaves with if the port writes priorities.
@inline(__always) @_noLocks
func egressAction(_ record: UnsafeMutablePointer<FrameRecord>, _ port: UnsafeMutablePointer<PortView>, pcp: UInt8) -> EgressTag? {
    let pcp = port.pointee.tags ? pcp : PriorityTagger.leave
    guard let vlans = port.pointee.vlans else { return EgressTag(PriorityTagger.egress(record, pcp: pcp)) }
    return vlans.pointee.egress(record, pcp: pcp).map { EgressTag($0) }
}
