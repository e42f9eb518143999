/// What is derived from the parameters of a class and does not change while it sends: one cache line. Classes with equal parameters share a profile; so with
/// many classes of few kinds a frame touches only its own class's line.
struct ClassProfile {
    /// In bit/s. For a bucket without a rate see `PlainBuckets`.
    var floorRate: UInt64
    var ceilingRate: UInt64
    /// What the full buckets hold, in nanobits.
    var floorBurst: Int64
    var ceilingBurst: Int64
    /// floor((2^64 - 1) / rate), so that computing waiting times needs no division.
    var floorReciprocal: UInt64
    var ceilingReciprocal: UInt64
    var limitPackets: UInt32
    var limitBytes: UInt32
    var quantum: Int32
    var output: UInt16
    var priority: UInt8

    @_noLocks
    init(
        floorRate: UInt64, ceilingRate: UInt64, floorBurst: Int64, ceilingBurst: Int64, floorReciprocal: UInt64, ceilingReciprocal: UInt64,
        limitPackets: UInt32, limitBytes: UInt32, quantum: Int32, output: UInt16, priority: UInt8
    ) {
        self.floorRate = floorRate
        self.ceilingRate = ceilingRate
        self.floorBurst = floorBurst
        self.ceilingBurst = ceilingBurst
        self.floorReciprocal = floorReciprocal
        self.ceilingReciprocal = ceilingReciprocal
        self.limitPackets = limitPackets
        self.limitBytes = limitBytes
        self.quantum = quantum
        self.output = output
        self.priority = priority
    }

    /// The bit of its priority, for the sets of priorities in `ClassState`.
    @inline(__always)
    var priorityBit: UInt8 { @_noLocks get { 1 &<< priority } }
}

/// The profiles in use, each stored once and found by its content.
struct ProfileTable {
    let profiles: UnsafeMutablePointer<ClassProfile>
    /// Number of classes that use the profile.
    private let uses: UnsafeMutablePointer<UInt16>
    /// The next profile with the same hash, or the next free one.
    private let next: UnsafeMutablePointer<UInt16>
    private let heads: UnsafeMutablePointer<UInt16>
    private let headMemory: ZeroedMemory
    private let mask: Int
    private var freeHead: UInt16 = 0
    /// The profiles behind this index have never been used so far.
    private var fresh: UInt16 = 0

    /// Index that stands for no profile; it is what memory that was never written holds.
    @inline(__always) static var none: UInt16 { @_noLocks get { 0 } }

    /// - Parameters:
    ///   - profiles: memory for `classes` profiles; at most 65 536.
    init(profiles: UnsafeMutablePointer<ClassProfile>, classes: Int) {
        self.profiles = profiles
        uses = ClassTree.reserve(classes)
        next = ClassTree.reserve(classes)
        var size = 1
        while size < classes { size *= 2 }
        mask = size - 1
        headMemory = ZeroedMemory(byteCount: size * MemoryLayout<UInt16>.stride)
        heads = headMemory.bytes.bindMemory(to: UInt16.self, capacity: size)
    }

    func deallocate() {
        uses.deallocate()
        next.deallocate()
        headMemory.deallocate()
    }

    /// The index of a profile equal to `profile`, which one more class now uses.
    @_noLocks
    mutating func retain(_ profile: ClassProfile) -> UInt16 {
        let place = Self.hash(profile) & mask
        var id = heads[place]
        while id != 0 {
            if Self.areAlike(profiles[Int(id)], profile) {
                uses[Int(id)] &+= 1
                return id
            }
            id = next[Int(id)]
        }
        if freeHead != 0 {
            id = freeHead
            freeHead = next[Int(id)]
        } else {
            fresh &+= 1
            id = fresh
        }
        profiles[Int(id)] = profile
        uses[Int(id)] = 1
        next[Int(id)] = heads[place]
        heads[place] = id
        return id
    }

    /// Notes that one class fewer uses the profile.
    @_noLocks
    mutating func release(_ id: UInt16) {
        if id == Self.none { return }
        uses[Int(id)] &-= 1
        if uses[Int(id)] != 0 { return }
        let place = Self.hash(profiles[Int(id)]) & mask
        if heads[place] == id {
            heads[place] = next[Int(id)]
        } else {
            var previous = heads[place]
            while next[Int(previous)] != id { previous = next[Int(previous)] }
            next[Int(previous)] = next[Int(id)]
        }
        next[Int(id)] = freeHead
        freeHead = id
    }

    @_noLocks
    private static func areAlike(_ a: ClassProfile, _ b: ClassProfile) -> Bool {
        a.floorRate == b.floorRate && a.ceilingRate == b.ceilingRate && a.floorBurst == b.floorBurst && a.ceilingBurst == b.ceilingBurst
            && a.floorReciprocal == b.floorReciprocal && a.ceilingReciprocal == b.ceilingReciprocal && a.limitPackets == b.limitPackets
            && a.limitBytes == b.limitBytes && a.quantum == b.quantum && a.output == b.output && a.priority == b.priority
    }

    /// FNV-1a over the fields that differ where parameters do, eight bytes at a time; the upper bits are then shifted down.
    @_noLocks
    private static func hash(_ profile: ClassProfile) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        hash = (hash ^ profile.floorRate) &* 0x0000_0100_0000_01b3
        hash = (hash ^ profile.ceilingRate) &* 0x0000_0100_0000_01b3
        hash = (hash ^ UInt64(bitPattern: profile.floorBurst &+ profile.ceilingBurst &* 3)) &* 0x0000_0100_0000_01b3
        hash = (hash ^ UInt64(profile.limitPackets) ^ UInt64(profile.limitBytes) &<< 32) &* 0x0000_0100_0000_01b3
        hash = (hash ^ UInt64(profile.output) ^ UInt64(profile.priority) &<< 16 ^ UInt64(UInt32(bitPattern: profile.quantum)) &<< 32) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: hash &>> 40)
    }
}

extension ClassTree {
    /// The profile of a class that exists.
    @_noLocks @inline(__always)
    func profile(of id: ClassID) -> UnsafeMutablePointer<ClassProfile> { profiles + Int(states[Int(id)].profile) }
}
