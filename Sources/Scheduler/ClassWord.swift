/// The last eight bytes of a class's state as one number, from `parent` in the low bits to `inFeed` in the high ones: what the shortest ways ask of
/// it are a comparison or two instead of a load for each field.
struct ClassWord {
    var bits: UInt64

    @_noLocks @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    /// Where it lies in `ClassState`.
    @inline(__always) static var offset: Int { @_noLocks get { 56 } }

    @inline(__always)
    var parent: ClassID { @_noLocks get { ClassID(truncatingIfNeeded: bits) } }

    /// Not 0 if one of `flags` is set, or the class hangs in its parent's feed.
    @_noLocks @inline(__always)
    static func isFedOrHas(_ flags: UInt8) -> UInt64 { UInt64(flags) &<< 24 | 0xff &<< 56 }

    /// A plain class right below the root, below which nobody waits.
    @inline(__always)
    var isIdlePlainGroup: Bool {
        @_noLocks get { bits & (0xffff | UInt64(ClassFlags.special) &<< 24 | 0xff &<< 40) == 1 }
    }
}

extension UnsafeMutablePointer<ClassState> {
    /// The other line of the class.
    @inline(__always)
    var node: UnsafeMutablePointer<ClassNode> {
        @_noLocks get { (UnsafeMutableRawPointer(self) + 64).assumingMemoryBound(to: ClassNode.self) }
    }

    @inline(__always)
    var word: ClassWord {
        @_noLocks get { ClassWord(bits: UnsafeRawPointer(self).load(fromByteOffset: ClassWord.offset, as: UInt64.self)) }
    }
}

extension UnsafeMutablePointer<ClassNode> {
    /// Of a leaf, `lender` in the low bits and `slot.exhausted` in the high ones.
    @inline(__always)
    var lenderAndExhausted: UInt32 { @_noLocks get { UnsafeRawPointer(self).load(fromByteOffset: 12, as: UInt32.self) } }
}

extension ClassTree {
    /// Fields that are read several at a time lie where they are looked for. A compiler that laid them out anew would be told of here, not by wrong rates.
    static func checkLayout() {
        typealias State = MemoryLayout<ClassState>
        let tokens = State.offset(of: \.floorTokens) == 16 && State.offset(of: \.ceilingTokens) == 24
        let rates = State.offset(of: \.floorRate) == 32 && State.offset(of: \.ceilingRate) == 40
        let bursts = State.offset(of: \.floorBurst) == 48 && State.offset(of: \.ceilingBurst) == 52
        let word = State.offset(of: \.parent) == ClassWord.offset && State.offset(of: \.flags) == ClassWord.offset + 3
            && State.offset(of: \.active) == ClassWord.offset + 5 && State.offset(of: \.inFeed) == ClassWord.offset + 7
        let node = MemoryLayout<ClassNode>.offset(of: \.slot.feedHead) == 12 && MemoryLayout<ClassNode>.offset(of: \.slot.exhausted) == 14
        precondition(State.offset(of: \.checkpoint) == 0 && tokens && rates && bursts && word && node && State.size == 64, "a class is laid out otherwise than it is read")
        // Handle, length and tag of a frame are copied as one.
        let offered = MemoryLayout<OfferedFrame>.offset(of: \.length) == 8 && MemoryLayout<OfferedFrame>.offset(of: \.tag) == 12
        let queued = MemoryLayout<FrameNode>.offset(of: \.length) == 8 && MemoryLayout<FrameNode>.offset(of: \.tag) == 12
        let sent = MemoryLayout<ScheduledFrame>.offset(of: \.length) == 8 && MemoryLayout<ScheduledFrame>.offset(of: \.tag) == 12
        precondition(offered && queued && sent, "a frame is laid out otherwise than it is copied")
    }
}
