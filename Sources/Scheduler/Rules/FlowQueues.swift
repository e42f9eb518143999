/// The queues of one leaf by flow (RFC 8290), 1 024 of them: what CoDel and fair queuing need to know about each, and the lists of flows that have a turn. It
/// takes about 56 KiB, which `ClassTree.grantFlows` gets from the kernel and `reclaimFlows` returns, never the loop. All zeros is the state of a leaf without
/// frames.
///
/// Flows are numbered from 1; 0 stands for none.
struct FlowQueues {
    private let memory: ZeroedMemory

    init() { memory = ZeroedMemory(byteCount: Self.byteCount) }

    func deallocate() { memory.deallocate() }

    /// Bytes per turn: one full Ethernet frame.
    @inline(__always) static var quantum: Int32 { @_noLocks get { 1_514 } }
    @inline(__always) static var count: UInt32 { @_noLocks get { 1_024 } }
    /// Number of the queue for frames that the leaf held before it got its flows. It is served first until it is empty, so that no later frame overtakes an
    /// earlier one of its flow.
    @inline(__always) static var inherited: UInt16 { @_noLocks get { 1_025 } }

    static var byteCount: Int { firstFlow + (Int(inherited) + 1) * MemoryLayout<Flow>.stride }
    @inline(__always) private static var heads: Int { @_noLocks get { 64 } }
    @inline(__always) private static var firstFlow: Int { @_noLocks get { 256 } }

    /// What is known about all flows together.
    struct Lists {
        /// Flows that began recently, and all other flows, each list in the order of their turns.
        var newHead: UInt16, newTail: UInt16
        var oldHead: UInt16, oldTail: UInt16
        /// The lengths of both lists.
        var new: UInt32, old: UInt32
        /// How often the leaf has become empty. A flow's entries about lists and sizes are valid only if they carry the same number; otherwise the flow is in
        /// its initial state.
        var epoch: UInt32
        /// A bit for each size class (`Flow.size`) that at least one flow has.
        var sizes: UInt64
    }

    struct Flow {
        var queue: FrameQueue
        /// Bytes left of its turn; 0 or negative if it has to wait for its next turn.
        var deficit: Int32
        var control: CoDel
        var epoch: UInt32
        /// The next flow in its list.
        var next: UInt16
        /// Its neighbours in the list of flows of the same size class.
        var larger: UInt16, smaller: UInt16
        /// Size class of the bytes that it holds, with two classes for each power of two; 0 if it holds none.
        var size: UInt8
        /// 1 if the flow is in the list of new or of old flows.
        var listed: UInt8
    }

    @inline(__always)
    var lists: UnsafeMutablePointer<Lists> { @_noLocks get { memory.bytes.assumingMemoryBound(to: Lists.self) } }

    /// The first flow of each size class.
    @inline(__always)
    private var heads: UnsafeMutablePointer<UInt16> { @_noLocks get { (memory.bytes + Self.heads).assumingMemoryBound(to: UInt16.self) } }

    @_noLocks @inline(__always)
    func flow(_ number: UInt16) -> UnsafeMutablePointer<Flow> {
        (memory.bytes + Self.firstFlow).assumingMemoryBound(to: Flow.self) + Int(number)
    }

    /// Resets all flows when the leaf has become empty: every flow that comes next is a new one.
    @_noLocks
    func reset() {
        let epoch = lists.pointee.epoch &+ 1
        lists.pointee = Lists(newHead: 0, newTail: 0, oldHead: 0, oldTail: 0, new: 0, old: 0, epoch: epoch, sizes: 0)
    }

    /// Puts a flow into its initial state if its entries are from before the leaf was last empty.
    @_noLocks @inline(__always)
    func renew(_ flow: UnsafeMutablePointer<Flow>) {
        if flow.pointee.epoch == lists.pointee.epoch { return }
        flow.pointee.epoch = lists.pointee.epoch
        flow.pointee.queue = FrameQueue()
        flow.pointee.listed = 0
        flow.pointee.size = 0
    }

    @_noLocks
    func appendNew(_ number: UInt16) {
        flow(number).pointee.next = 0
        flow(number).pointee.listed = 1
        if lists.pointee.newHead == 0 { lists.pointee.newHead = number } else { flow(lists.pointee.newTail).pointee.next = number }
        lists.pointee.newTail = number
        lists.pointee.new &+= 1
    }

    /// Puts a flow before all others.
    @_noLocks
    func prependNew(_ number: UInt16) {
        flow(number).pointee.next = lists.pointee.newHead
        flow(number).pointee.listed = 1
        if lists.pointee.newHead == 0 { lists.pointee.newTail = number }
        lists.pointee.newHead = number
        lists.pointee.new &+= 1
    }

    @_noLocks
    func appendOld(_ number: UInt16) {
        flow(number).pointee.next = 0
        flow(number).pointee.listed = 1
        if lists.pointee.oldHead == 0 { lists.pointee.oldHead = number } else { flow(lists.pointee.oldTail).pointee.next = number }
        lists.pointee.oldTail = number
        lists.pointee.old &+= 1
    }

    /// Removes the flow whose turn it is: the first of the new flows, or of the old ones if there are none.
    @_noLocks
    func removeHead() {
        let isNew = lists.pointee.newHead != 0
        let place = flow(isNew ? lists.pointee.newHead : lists.pointee.oldHead)
        place.pointee.listed = 0
        if isNew {
            lists.pointee.newHead = place.pointee.next
            lists.pointee.new &-= 1
        } else {
            lists.pointee.oldHead = place.pointee.next
            lists.pointee.old &-= 1
        }
    }

    /// Moves a flow to the size class of the bytes that it holds now.
    @_noLocks
    func resize(_ number: UInt16, _ frames: UnsafeMutablePointer<FrameNode>) {
        let place = flow(number)
        let bytes = place.pointee.queue.isEmpty ? 0 : max(place.pointee.queue.allBytes(frames), 2)
        var size: UInt8 = 0
        if bytes != 0 {
            let power = 31 &- UInt32(truncatingIfNeeded: bytes.leadingZeroBitCount)
            size = UInt8(truncatingIfNeeded: power &* 2 &+ bytes &>> (power &- 1) & 1)
        }
        let old = place.pointee.size
        if size == old { return }
        if old != 0 {
            let larger = place.pointee.larger, smaller = place.pointee.smaller
            if smaller != 0 { flow(smaller).pointee.larger = larger }
            if larger != 0 {
                flow(larger).pointee.smaller = smaller
            } else {
                heads[Int(old)] = smaller
                if smaller == 0 { lists.pointee.sizes &= ~(1 &<< UInt64(old)) }
            }
        }
        place.pointee.size = size
        if size == 0 { return }
        let head = lists.pointee.sizes &>> UInt64(size) & 1 == 0 ? 0 : heads[Int(size)]
        place.pointee.larger = 0
        place.pointee.smaller = head
        if head != 0 { flow(head).pointee.larger = number }
        heads[Int(size)] = number
        lists.pointee.sizes |= 1 &<< UInt64(size)
    }

    /// A flow with at least two thirds of the bytes of the flow that has most; 0 if all are empty.
    @inline(__always)
    var fattest: UInt16 {
        @_noLocks get {
            let sizes = lists.pointee.sizes
            return sizes == 0 ? 0 : heads[63 &- sizes.leadingZeroBitCount]
        }
    }
}
