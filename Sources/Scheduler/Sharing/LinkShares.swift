/// How a tree shares what floors leave of its rate among traffic classes (Enhanced Transmission Selection, IEEE 802.1Q-2014, 8.6.8.4): see
/// `ClassTree+TrafficClasses`.
public struct LinkShares: Equatable, Sendable, BitwiseCopyable {
    /// The traffic class, 0 to 7, of leaves of each priority. The priorities of strict classes must come before those of weighted ones, as of several strict
    /// classes the one with the lowest priority is served first.
    public var classes: SIMD8<UInt8>
    /// The percentage of each weighted traffic class; one with 0 gets only what all others leave.
    public var percents: SIMD8<UInt8>
    /// A bit for each traffic class that is strict.
    public var strict: UInt8
    /// If it is not 0, an output has eight parts, each of which can be paused (`ClassTree.pause`). The part of a leaf is one less than what stands above so
    /// many low bits of its output; the low bits are the output that its frames show.
    public var outputBits: UInt8

    @_noLocks
    public init(classes: SIMD8<UInt8>, percents: SIMD8<UInt8>, strict: UInt8, outputBits: UInt8 = 0) {
        self.classes = classes
        self.percents = percents
        self.strict = strict
        self.outputBits = outputBits
    }

    /// The output of leaves whose frames are in a part of `output`.
    @_noLocks
    public func output(_ output: UInt16, part: UInt8) -> UInt16 { outputBits == 0 ? output : output | (UInt16(part & 7) &+ 1) &<< UInt16(outputBits) }
}

/// What a tree knows of its traffic classes. All of it is unused in a tree without shares.
struct TrafficClasses {
    /// The traffic class of each priority.
    var classes = SIMD8<UInt8>(repeating: 0)
    /// For each traffic class, a bit for each of its priorities.
    var priorities = SIMD8<UInt8>(repeating: 0)
    /// The priorities of strict classes.
    var strict: UInt8 = 0
    /// The weighted classes with a percentage.
    var weighted: UInt8 = 0
    /// The weighted classes without one.
    var last: UInt8 = 0
    /// The traffic classes that waited for the root at the last choice.
    var waiting: UInt8 = 0
    /// `LinkShares.outputBits`, and the bits of outputs that frames show.
    var outputBits: UInt8 = 0
    var outputMask = UInt16.max
    /// How many of the frames that the present call has written are counted.
    var counted = 0
    /// For each traffic class, by how much its time advances for a byte.
    let paces: UnsafeMutablePointer<UInt64>
    /// For each traffic class, the bytes that the present call has sent and not counted yet, with overhead. Always 0 between calls.
    let unpaid: UnsafeMutablePointer<Int64>
    /// What each traffic class has sent on the wire here: written like `CounterBlock`.
    let counters: UnsafeMutablePointer<SentCount>
    /// The times of the traffic classes, shared by all instances of the tree.
    let times: ClassTimes
    private let memory: ZeroedMemory

    /// - Parameter shared: the times that instances on other lcores use as well; nil: there are none.
    init(_ shared: ClassTimes?) {
        memory = ZeroedMemory(byteCount: ClassTimes.byteCount + 8 * (8 + 8 + MemoryLayout<SentCount>.stride))
        let rest = memory.bytes + ClassTimes.byteCount
        paces = rest.bindMemory(to: UInt64.self, capacity: 8)
        unpaid = (rest + 64).bindMemory(to: Int64.self, capacity: 8)
        counters = (rest + 128).bindMemory(to: SentCount.self, capacity: 8)
        times = shared ?? ClassTimes(memory.bytes)
    }

    func deallocate() { memory.deallocate() }

    /// The first priority of weighted classes. All of them count as this one where instances compare priorities.
    @inline(__always)
    var firstWeighted: Int { @_noLocks get { (~strict).trailingZeroBitCount & 7 } }

    /// How much the time of a class advances for a byte: for each byte that the link sends, that of every class that gets its share advances by `perByte`.
    @_noLocks
    static func pace(percent: UInt8) -> UInt64 { 100 &* perByte / UInt64(max(percent, 1)) }

    @inline(__always) static var perByte: UInt64 { @_noLocks get { 1 << 20 } }
    /// How far the time of a class that did not wait may be behind: what the link sends in 32 KiB. It makes up for short absences, as at a ceiling.
    @inline(__always) static var mostBehind: UInt64 { @_noLocks get { perByte << 15 } }
    /// How far the time of a class may be ahead because of its floors: what the link sends in 4 MiB. After floors that exceeded its percentage, its other frames
    /// wait for no more than that.
    @inline(__always) static var mostAhead: UInt64 { @_noLocks get { perByte << 22 } }
    /// How far ahead an instance's classes may be of those that wait in other instances before it leaves the root's rate to these: what the link sends in
    /// 16 KiB.
    @inline(__always) static var mostAheadOfOthers: UInt64 { @_noLocks get { perByte << 14 } }
}

/// What left on the wire.
public struct SentCount: Equatable, Sendable, BitwiseCopyable {
    public var bytes: UInt64
    public var frames: UInt64

    @_noLocks
    public init(bytes: UInt64, frames: UInt64) {
        self.bytes = bytes
        self.frames = frames
    }
}

/// The times of traffic classes: each is what the class has sent, floors included, divided by its percentage. Weighted classes that wait are served in the
/// order of their times. Any lcore may write them. They wrap around, so only differences count.
struct ClassTimes: @unchecked Sendable {
    /// A line for each traffic class: its time, and when it last was seen to wait. Then a line for the earliest time of those that wait.
    private let words: UnsafeMutablePointer<SharedWord>

    /// - Parameter memory: `byteCount` bytes of 0.
    init(_ memory: UnsafeMutableRawPointer) { words = memory.bindMemory(to: SharedWord.self, capacity: Self.byteCount / MemoryLayout<SharedWord>.stride) }

    static var byteCount: Int { 9 * 64 }

    /// The time of a traffic class.
    @_noLocks @inline(__always)
    func of(_ index: Int) -> UInt64 { words[index &* 8].end.load(ordering: .relaxed) }

    @_noLocks @inline(__always)
    func add(_ time: UInt64, to index: Int) { words[index &* 8].end.wrappingAdd(time, ordering: .relaxed) }

    /// Sets the time of a class unless it has changed from `old` meanwhile, when another instance has done so.
    @_noLocks @inline(__always)
    func replace(_ old: UInt64, by new: UInt64, of index: Int) {
        _ = words[index &* 8].end.compareExchange(expected: old, desired: new, ordering: .relaxed)
    }

    /// When the class was last seen to wait in any instance; 0: it has left since.
    @_noLocks @inline(__always)
    func seen(_ index: Int) -> Nanoseconds { words[index &* 8 &+ 1].end.load(ordering: .relaxed) }

    @_noLocks @inline(__always)
    func see(_ index: Int, at now: Nanoseconds) { words[index &* 8 &+ 1].end.store(now, ordering: .relaxed) }

    /// The time that the link has reached: a class that begins to wait is no further behind than `TrafficClasses.mostBehind`.
    @inline(__always)
    var link: UInt64 { @_noLocks get { words[64].end.load(ordering: .relaxed) } }

    @_noLocks @inline(__always)
    func advance(to time: UInt64) { if Int64(bitPattern: time &- link) > 0 { words[64].end.store(time, ordering: .relaxed) } }
}
