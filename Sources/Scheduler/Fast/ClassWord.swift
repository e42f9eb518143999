/// The last eight bytes of a class's state as one number, from `parent` in the low bits to `inFeed` in the high ones. With it the fast paths need only a
/// comparison or two instead of a load for each field. What they write in this way must equal what `attach` and `detach` would write: `OracleTests` checks that
/// by `brokenInvariants` after every step.
struct ClassWord {
    var bits: UInt64

    @_noLocks @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    /// Offset of the word in `ClassState`.
    @inline(__always) static var offset: Int { @_noLocks get { 56 } }
    /// Offset of the word's upper half: mode, and the bits of the lists that the class is in.
    @inline(__always) static var listsOffset: Int { @_noLocks get { 60 } }

    @inline(__always)
    var parent: ClassID { @_noLocks get { ClassID(truncatingIfNeeded: bits) } }

    /// The bits of the word in which `flags` are.
    @_noLocks @inline(__always)
    static func mask(_ flags: UInt8) -> UInt64 { UInt64(flags) &<< 16 }

    /// A mask whose bits are all 0 in the word of a leaf that has none of `flags`, is not in its parent's feed, and did not last send on an ancestor's floor.
    @_noLocks @inline(__always)
    static func isFedOrHas(_ flags: UInt8) -> UInt64 { mask(flags) | 0xff &<< 24 | 0xff &<< 56 }

    /// Whether it is a plain class right below the root, none of whose descendants has frames.
    @inline(__always)
    var isIdlePlainGroup: Bool {
        @_noLocks get { bits & (0xffff | Self.mask(ClassFlags.special) | 0xff &<< 40) == 1 }
    }
}

extension UnsafeMutablePointer<ClassState> {
    @inline(__always)
    var word: ClassWord {
        @_noLocks get { ClassWord(bits: UnsafeRawPointer(self).load(fromByteOffset: ClassWord.offset, as: UInt64.self)) }
    }

    /// Marks a leaf that was in no list as able to send and as a member of the row of its priority.
    @_noLocks @inline(__always)
    func beginToSend(_ priority: UInt8) {
        // The mode is `Mode.canSend`, which is 0; `active` and `inRow` get the same bit.
        UnsafeMutableRawPointer(self).storeBytes(of: 0x01_0100 &<< UInt32(priority), toByteOffset: ClassWord.listsOffset, as: UInt32.self)
    }

    /// Marks a leaf that can send, and is in no feed, as having sent all its frames.
    @_noLocks @inline(__always)
    func endToSend() { UnsafeMutableRawPointer(self).storeBytes(of: 0, toByteOffset: ClassWord.listsOffset, as: UInt32.self) }
}

extension ClassTree {
    /// Checks that fields that are read together are where they are expected. If a compiler laid them out differently, this would stop the program instead of
    /// leading to wrong rates.
    static func checkLayout() {
        typealias State = MemoryLayout<ClassState>
        typealias Profile = MemoryLayout<ClassProfile>
        let tokens = State.offset(of: \.floorTokens) == 16 && State.offset(of: \.ceilingTokens) == 24
        let rates = Profile.offset(of: \.floorRate) == 0 && Profile.offset(of: \.ceilingRate) == 8
        let bursts = Profile.offset(of: \.floorBurst) == 16 && Profile.offset(of: \.ceilingBurst) == 24
        let word = State.offset(of: \.parent) == ClassWord.offset && State.offset(of: \.flags) == ClassWord.offset + 2
            && State.offset(of: \.rank) == ClassWord.offset + 3
            && State.offset(of: \.mode) == ClassWord.listsOffset && State.offset(of: \.active) == ClassWord.offset + 5
            && State.offset(of: \.inRow) == ClassWord.offset + 6 && State.offset(of: \.inFeed) == ClassWord.offset + 7
        let places = MemoryLayout<ClassExtra>.offset(of: \.places) == 0
        let sizes = State.size == 64 && MemoryLayout<ClassNode>.size == 64 && Profile.stride == 64
        let timer = MemoryLayout<ClassNode>.offset(of: \.timer) == ClassNode.timerOffset && MemoryLayout<ClassNode>.offset(of: \.slot) == 0
            && MemoryLayout<PrioritySlot>.offset(of: \.feedHead) == PrioritySlot.feedHeadOffset
            && MemoryLayout<FeedRounds>.offset(of: \.own) == 0
        precondition(State.offset(of: \.checkpoint) == 0 && tokens && rates && bursts && word && places && sizes && timer, "a class is laid out otherwise than it is read")
        // Handle, length and tag of a frame are copied in one piece.
        let offered = MemoryLayout<OfferedFrame>.offset(of: \.length) == 8 && MemoryLayout<OfferedFrame>.offset(of: \.tag) == 12
        let queued = MemoryLayout<FrameNode>.offset(of: \.length) == 8 && MemoryLayout<FrameNode>.offset(of: \.tag) == 12
        let sent = MemoryLayout<ScheduledFrame>.offset(of: \.length) == 8 && MemoryLayout<ScheduledFrame>.offset(of: \.tag) == 12
            && MemoryLayout<ScheduledFrame>.offset(of: \.leaf) == 16 && MemoryLayout<ScheduledFrame>.offset(of: \.output) == 18
        precondition(offered && queued && sent, "a frame is laid out otherwise than it is copied")
    }
}
