import Scheduler

/// The rules of `ClassTree`, written only to be obviously right: arrays instead of rings, a look at every class in every call, one frame at a time, and credit
/// as exact fractions in 128 bits.
final class Oracle {
    /// A token bucket. Its credit is `numerator` / 10^9 units (bits or packets); a rate of r units a second earns r / 10^9 units in each nanosecond.
    struct Bucket {
        var rate: Int128
        var burst: Int128
        var numerator: Int128

        init(rate: UInt64, burst: Int128) {
            self.rate = Int128(rate)
            self.burst = burst * 1_000_000_000
            numerator = self.burst
        }

        func filled(_ elapsed: Int128) -> Int128 { min(numerator + elapsed * rate, burst) }
        mutating func refill(_ elapsed: Int128) { numerator = filled(elapsed) }
        mutating func charge(_ units: Int128) { numerator -= units * 1_000_000_000 }
    }

    /// Whether a class can send on its own floor, may borrow, or cannot send; from best to worst.
    enum Mode: Int, Comparable {
        case can, may, cannot
        static func < (one: Mode, other: Mode) -> Bool { one.rawValue < other.rawValue }
    }

    /// What a class has done since it was added.
    struct Counts: Equatable {
        var sentFrames: UInt64 = 0, sentBytes: UInt64 = 0
        var borrowedFrames: UInt64 = 0, borrowedBytes: UInt64 = 0
        var lentFrames: UInt64 = 0, lentBytes: UInt64 = 0
        var droppedQueueLimit: UInt64 = 0, droppedBufferShare: UInt64 = 0, droppedBufferFull: UInt64 = 0, droppedCoDel: UInt64 = 0
        /// The bytes that it borrowed from each lender.
        var loans: [ClassID: UInt64] = [:]
    }

    final class Class {
        let id: ClassID
        let parent: Class?
        var p: ClassParameters
        var children = 0
        /// `floor` holds the credit of the floor that is at hand. `saved` is what was saved beyond that, in the units of `Bucket.numerator`; `mostSaved` is its
        /// limit.
        var floor: Bucket?
        var saved: Int128 = 0, mostSaved: Int128 = 0
        var ceiling: Bucket?, peak: Bucket?, floorPackets: Bucket?, ceilingPackets: Bucket?
        var endlessFloor = false
        var checkpoint: Nanoseconds
        var mode = Mode.may
        var queue: [(charge: Charge, tag: UInt32, since: Nanoseconds)] = []
        /// CoDel for the leaf's queue; nil: frames are not dropped for waiting long.
        var codel: CoDelModel?
        var active: Set<Int> = []
        /// For each priority, the children that take turns to borrow; the first is next.
        var feeds: [[ClassID]] = Array(repeating: [], count: 8)
        var rowDeficit = 0
        /// For each priority, the rest of the class's turn in its parent's feed. A leaf has one priority and uses the first element.
        var feedDeficit: [Int] = []
        /// `feedRound` is the present round of each of the class's feeds, in the order of `feeds`. `round` is, in the order of `feedDeficit`, the round in the
        /// parent's feed to which the class's turn belongs; once the turn is used up it is one more than the round in which that happened.
        var feedRound: [UInt16] = Array(repeating: 0, count: 8), round: [UInt16] = Array(repeating: 0, count: 8)
        func turn(_ priority: Int) -> Int { isLeaf ? 0 : priority }
        var isParked = false
        var counts = Counts()
        var waits = Waits()
        /// For an inner class, the number of the last event in which it had nothing left for the classes below it, and whether it was at a ceiling of its own
        /// at that time.
        var event = 0, eventWasAtCeiling = false
        /// For a leaf, the number of the last event that it has taken notice of.
        var noticed = 0

        init(_ id: ClassID, parent: Class?, _ p: ClassParameters, at now: Nanoseconds) {
            self.id = id
            self.parent = parent
            self.p = p
            checkpoint = now
        }

        var isLeaf: Bool { children == 0 }
        /// The class itself and all its ancestors.
        var way: [Class] { [self] + (parent?.way ?? []) }
        var depth: Int { parent.map { $0.depth + 1 } ?? 0 }
        var level: Int { isLeaf ? 0 : 7 - depth }
        var quantum: Int { Int(max(p.quantum, ClassParameters.leastQuantum)) }
        var priority: Int { Int(min(p.priority, 7)) }

        func refill(_ now: Nanoseconds) {
            guard now > checkpoint else { return }
            let elapsed = Int128(now - checkpoint)
            if let floor { saved = min(saved + max(floor.numerator + elapsed * floor.rate - floor.burst, 0), mostSaved) }
            floor?.refill(elapsed)
            ceiling?.refill(elapsed)
            peak?.refill(elapsed)
            floorPackets?.refill(elapsed)
            ceilingPackets?.refill(elapsed)
            checkpoint = now
        }

        func modeNow(_ now: Nanoseconds) -> Mode {
            let elapsed = now > checkpoint ? Int128(now - checkpoint) : 0
            for limit in [ceiling, peak, ceilingPackets] { if let limit, limit.filled(elapsed) < 0 { return .cannot } }
            if !endlessFloor {
                guard let floor, floor.filled(elapsed) >= 0 else { return .may }
            }
            if let floorPackets, floorPackets.filled(elapsed) < 0 { return .may }
            return .can
        }

        func hasSaved(_ now: Nanoseconds) -> Bool {
            guard saved > 0 else { return false }
            return floorPackets.map { $0.filled(now > checkpoint ? Int128(now - checkpoint) : 0) >= 0 } ?? true
        }

        /// Charges a frame that leaves on the class's floor, or on the floor of a class below it.
        func chargeFloor(_ bytes: Int, fromSavings: Bool) {
            guard floor != nil else { return }
            floor!.charge(Int128(bytes) * 8)
            if fromSavings {
                let taken = min(saved, Int128(bytes) * 8_000_000_000)
                saved -= taken
                floor!.numerator += taken
            }
            // A debt is paid from the savings, once these are smaller than the debt.
            if floor!.numerator + saved < 0 {
                floor!.numerator += saved
                saved = 0
            }
        }
    }

    var classes: [ClassID: Class] = [:]
    /// For each level and priority, the classes that can send; the first is next.
    var rows: [[ClassID]] = Array(repeating: [], count: 64)
    /// In the same order, the classes that are above their floors and have saved something.
    var savers: [[ClassID]] = Array(repeating: [], count: 64)
    var parked: Set<UInt16> = []
    var parkedLeaves: [UInt16: [ClassID]] = [:]
    var latest: Nanoseconds
    let overhead: Int
    let frames: Int
    var held = 0
    /// The number of frames that left on what a class had saved.
    var sentFromSavings = 0
    var droppedByCoDel = 0
    /// The number of frames that left as several on the wire.
    var sentAsSeveral = 0
    /// The number of events so far in which an inner class had nothing left for the classes below it.
    var events = 0
    /// The visit that has not ended yet; see `OracleWaits`.
    var visit: Visit?
    /// What the root has not been charged for yet. It is charged before its state is looked at, and before a call ends.
    var owed: [Cost] = []
    /// The traffic classes among which the root's rate is shared; nil: it is not.
    var shares: LinkShares?
    var sharing = OracleOfShares()
    /// Leaves above their floors that got their first frame since the last dequeue. When there are 64, they join at once.
    var arrivals: [ClassID] = []

    init(root: ClassParameters, frames: Int, overhead: Int, now: Nanoseconds) {
        self.overhead = overhead
        self.frames = frames
        latest = now
        make(1, nil, root, at: now)
    }

    /// A cost: the bytes with overhead, and the packets.
    struct Cost {
        var bytes: Int, packets: Int128
    }

    // MARK: Changes

    func make(_ id: ClassID, _ parent: Class?, _ p: ClassParameters, at now: Nanoseconds) {
        let new = Class(id, parent: parent, p, at: now)
        classes[id] = new
        configure(new, p)
        new.rowDeficit = new.quantum
        new.feedDeficit = Array(repeating: new.quantum, count: 8)
    }

    func configure(_ c: Class, _ p: ClassParameters) {
        let rootFloor = p.floor == 0 && c.parent == nil ? p.ceiling : p.floor
        c.p = p
        c.endlessFloor = rootFloor >= 1 << 42 || rootFloor == 0 && p.floorPackets != 0
        func bucket(_ old: Bucket?, _ rate: UInt64, _ burst: Int128) -> Bucket? {
            guard rate != 0, rate < 1 << 42 else { return nil }
            var new = Bucket(rate: rate, burst: burst)
            if let old { new.numerator = min(old.numerator, new.burst) }
            return new
        }
        func packets(_ rate: UInt64) -> Int128 { max(2, Int128(rate / 100)) }
        // The number of bits in a burst, which holds at least what one nanosecond earns, in whole bytes.
        func bits(_ bytes: UInt64, _ rate: UInt64) -> Int128 { Int128(max(bytes, rate / 8_000_000_000 + 1)) * 8 }
        let whole = c.floor.map { (floor: Bucket) -> Bucket in
            var floor = floor
            floor.numerator += c.saved
            return floor
        }
        c.floor = bucket(whole, rootFloor, bits(p.burst, rootFloor))
        (c.saved, c.mostSaved) = (0, 0)
        if let floor = c.floor, c.parent != nil {
            // What is at hand: 10 ms of the floor's rate, or two large frames if that is more.
            let atHand = Int128(max(rootFloor / 800, 2 * 9_022)) * 8_000_000_000
            if floor.burst > atHand {
                c.saved = max(floor.numerator - atHand, 0)
                c.mostSaved = floor.burst - atHand
                c.floor!.burst = atHand
                c.floor!.numerator -= c.saved
            }
        }
        c.ceiling = bucket(c.ceiling, p.ceiling, bits(p.ceilingBurst, p.ceiling))
        c.peak = bucket(c.peak, p.peak, bits(p.peakBurst, p.peak))
        c.floorPackets = bucket(c.floorPackets, p.floorPackets, packets(p.floorPackets))
        c.ceilingPackets = bucket(c.ceilingPackets, p.ceilingPackets, packets(p.ceilingPackets))
        if p.codelTarget == 0 {
            c.codel = nil
        } else {
            var codel = c.codel ?? CoDelModel()
            (codel.target, codel.interval) = (p.codelTarget, p.codelInterval == 0 ? p.codelTarget * 20 : p.codelInterval)
            c.codel = codel
        }
        c.rowDeficit = min(c.rowDeficit, c.quantum)
        c.feedDeficit = c.feedDeficit.map { min($0, c.quantum) }
    }

    func add(_ id: ClassID, under parent: ClassID, _ p: ClassParameters, at now: Nanoseconds) -> Bool {
        guard let above = classes[parent], classes[id] == nil, above.depth < 7 else { return false }
        admitArrivals(at: now)
        if above.isLeaf {
            withdraw(above)
            above.feeds = Array(repeating: [], count: 8)
            above.feedDeficit = Array(repeating: above.quantum, count: 8)
            above.feedRound = Array(repeating: 0, count: 8)
            above.round = above.feedRound
            above.event = 0
            let queue = above.queue
            above.queue = []
            above.children = 1
            make(id, above, p, at: now)
            if p.output == above.p.output { classes[id]!.queue = queue } else { held -= queue.count }
            readmit(classes[id]!, at: now)
        } else {
            above.children += 1
            make(id, above, p, at: now)
        }
        return true
    }

    func change(_ id: ClassID, _ p: ClassParameters, at now: Nanoseconds) -> Bool {
        guard let c = classes[id] else { return false }
        admitArrivals(at: now)
        if c.isLeaf {
            withdraw(c)
            c.refill(now)
            configure(c, p)
            readmit(c, at: now)
        } else {
            let active = c.active
            detach(c, active)
            c.active = []
            c.refill(now)
            configure(c, p)
            if !active.isEmpty { attach(c, active.sorted(), at: now) }
        }
        return true
    }

    func remove(_ id: ClassID, at now: Nanoseconds) -> Bool {
        guard id != 1, let c = classes[id], c.isLeaf else { return false }
        admitArrivals(at: now)
        withdraw(c)
        held -= c.queue.count
        classes[id] = nil
        c.parent!.children -= 1
        if c.parent!.isLeaf {
            c.parent!.feedDeficit = Array(repeating: c.parent!.quantum, count: 8)
            c.parent!.round = Array(repeating: 0, count: 8)
            c.parent!.noticed = 0
        }
        return true
    }

    func withdraw(_ c: Class) {
        if c.isParked {
            parkedLeaves[c.p.output]!.removeAll { $0 == c.id }
            c.isParked = false
        } else if !c.active.isEmpty {
            deactivate(c)
        }
    }

    func readmit(_ c: Class, at now: Nanoseconds) {
        if c.queue.isEmpty { return }
        if parked.contains(c.p.output) { park(c) } else { activate(c, at: now) }
    }

    // MARK: Rings

    /// Has a leaf take part that has frames and whose output takes them.
    func activate(_ leaf: Class, at now: Nanoseconds) {
        attach(leaf, [leaf.priority], at: now)
        noteLeft(leaf)
    }

    /// Has a class take part in borrowing or sending. `returns`: it had frames all the time, so it comes back to where it was.
    func attach(_ c: Class, _ priorities: [Int], returns: Bool = false, at now: Nanoseconds) {
        if c.active.isEmpty {
            c.refill(now)
            c.mode = c.modeNow(now)
            c.active.formUnion(priorities)
            visit?.note(awake: c)
            if c.mode == .cannot { noteWorse(c, at: now) }
        }
        c.active.formUnion(priorities)
        switch c.mode {
        case .cannot: break
        case .can:
            for p in priorities where !rows[c.level * 8 + p].contains(c.id) { rows[c.level * 8 + p].append(c.id) }
        case .may:
            guard let parent = c.parent else { return }
            if c.hasSaved(now) { joinSavers(c, priorities) }
            var woken: [Int] = []
            for p in priorities where !parent.feeds[p].contains(c.id) {
                if parent.feeds[p].isEmpty { woken.append(p) }
                if returns, hasTurnLeft(c, in: parent, p) { parent.feeds[p].insert(c.id, at: 0) } else { parent.feeds[p].append(c.id) }
            }
            if !woken.isEmpty { attach(parent, woken, returns: returns, at: now) }
        }
    }

    func joinSavers(_ c: Class, _ priorities: [Int]) {
        for p in priorities where !savers[c.level * 8 + p].contains(c.id) { savers[c.level * 8 + p].append(c.id) }
    }

    func leaveSavers(_ c: Class, _ priorities: Set<Int>) { for p in priorities { savers[c.level * 8 + p].removeAll { $0 == c.id } } }

    /// Whether a class that comes back to a feed goes ahead of the others, because it has not used up its turn in the present round. If it missed a round, it
    /// gets that turn as well, up to two quanta in all.
    func hasTurnLeft(_ c: Class, in parent: Class, _ p: Int) -> Bool {
        let turn = c.turn(p)
        if let head = parent.feeds[p].first.map({ classes[$0]! }), head.round[head.turn(p)] == parent.feedRound[p] &+ 1 { parent.feedRound[p] &+= 1 }
        if c.round[turn] == parent.feedRound[p] &+ 1 { return false }
        if c.round[turn] != parent.feedRound[p] {
            c.round[turn] = parent.feedRound[p]
            c.feedDeficit[turn] = min(c.feedDeficit[turn] + c.quantum, 2 * c.quantum)
        }
        return true
    }

    /// Ends the turn of the first class of a feed, which goes to the end of the feed.
    func endTurn(of c: Class, in parent: Class, _ p: Int) {
        if c.round[c.turn(p)] == parent.feedRound[p] &+ 1 { parent.feedRound[p] &+= 1 }
        c.round[c.turn(p)] = parent.feedRound[p] &+ 1
        parent.feeds[p].append(parent.feeds[p].removeFirst())
    }

    func detach(_ c: Class, _ priorities: Set<Int>) {
        var emptied: Set<Int> = []
        for p in priorities {
            rows[c.level * 8 + p].removeAll { $0 == c.id }
            leaveSavers(c, [p])
            guard let parent = c.parent, parent.feeds[p].contains(c.id) else { continue }
            parent.feeds[p].removeAll { $0 == c.id }
            if parent.feeds[p].isEmpty { emptied.insert(p) }
        }
        if emptied.isEmpty { return }
        c.parent!.active.subtract(emptied)
        detach(c.parent!, emptied)
    }

    func deactivate(_ c: Class) {
        let active = c.active
        c.active = []
        detach(c, active)
    }

    /// Updates the modes of classes. Those that got worse are noted only after the modes of all are known.
    func updateModes(_ way: [Class], at now: Nanoseconds) { for c in way.filter({ updateMode($0, at: now) }) { noteWorse(c, at: now) } }

    /// Updates the mode of a class. Returns whether it is worse now.
    private func updateMode(_ c: Class, at now: Nanoseconds) -> Bool {
        let mode = c.modeNow(now)
        if c.active.isEmpty { return false }
        // A class with savings keeps its place among the savers even while it is within its floor.
        if !c.hasSaved(now) { leaveSavers(c, Set(0..<8)) }
        if mode == c.mode {
            if mode == .may, c.hasSaved(now) { joinSavers(c, c.active.sorted()) }
            return false
        }
        let old = c.mode
        c.mode = mode
        if mode == .cannot {
            detach(c, c.active)
            return true
        }
        if old == .can { for p in c.active { rows[c.level * 8 + p].removeAll { $0 == c.id } } }
        attach(c, c.active.sorted(), returns: true, at: now)
        return mode > old
    }

    func park(_ c: Class) {
        parkedLeaves[c.p.output, default: []].insert(c.id, at: 0)
        c.isParked = true
        c.waits.output += 1
    }

    func unpark(_ output: UInt16) {
        guard parked.remove(output) != nil else { return }
        let leaves = parkedLeaves[output] ?? []
        parkedLeaves[output] = []
        for id in leaves {
            classes[id]!.isParked = false
            activate(classes[id]!, at: latest)
        }
    }

    // MARK: Frames

    /// Changes the counters of a class and of all its ancestors.
    private func count(_ c: Class, _ change: (inout Counts) -> Void) {
        var next: Class? = c
        while let counted = next {
            change(&counted.counts)
            next = counted.parent
        }
    }

    func enqueue(_ charge: Charge, tag: UInt32, to id: ClassID, at now: Nanoseconds) -> EnqueueVerdict {
        guard let c = classes[id], c.isLeaf else { return .notALeaf }
        let bytes = c.queue.reduce(0) { $0 + Int($1.charge.bytes) }
        if c.p.limitPackets != 0 && c.queue.count >= Int(c.p.limitPackets)
            || c.p.limitBytes != 0 && bytes + Int(charge.bytes) > Int(c.p.limitBytes) {
            count(c) { $0.droppedQueueLimit += 1 }
            return .queueLimit
        }
        if frames == held { count(c) { $0.droppedBufferFull += 1 }; return .bufferFull }
        if c.queue.count >= frames - held { count(c) { $0.droppedBufferShare += 1 }; return .bufferShare }
        held += 1
        c.queue.append((charge, tag, now))
        if c.queue.count == 1 {
            if parked.contains(c.p.output) {
                park(c)
            } else if c.modeNow(now) == .can {
                activate(c, at: now)
            } else {
                arrivals.append(id)
            }
            if arrivals.count == 64 { admitArrivals(at: now) }
        }
        return .queued
    }

    func admitArrivals(at now: Nanoseconds) {
        for id in arrivals { activate(classes[id]!, at: now) }
        arrivals = []
    }

    func wake(at now: Nanoseconds) {
        update(at: now)
        admitArrivals(at: now)
    }

    /// Updates the classes whose time has come.
    func update(at now: Nanoseconds) {
        latest = now
        for id in classes.keys.sorted() { updateModes([classes[id]!], at: now) }
    }

    /// The frame that leaves next at this time; nil if there is none. `wake` must be called first, and `endDequeue` after the last frame.
    func dequeue(at now: Nanoseconds) -> (leaf: ClassID, tag: UInt32, charge: Charge)? {
        while let (row, isSaved) = nextRow(at: now) {
            let priority = row & 7
            let lender = classes[(isSaved ? savers : rows)[row][0]]!
            if lender.rowDeficit < 0 {
                lender.rowDeficit += lender.quantum
                endTurn(row, isSaved)
                continue
            }
            var leaf = lender
            while !leaf.isLeaf {
                let child = classes[leaf.feeds[priority][0]]!
                if child.feedDeficit[child.turn(priority)] < 0 {
                    child.feedDeficit[child.turn(priority)] += child.quantum
                    endTurn(of: child, in: leaf, priority)
                } else {
                    leaf = child
                }
            }
            if parked.contains(leaf.p.output) {
                deactivate(leaf)
                park(leaf)
                continue
            }
            goOnVisiting(leaf, lender)
            dropStale(leaf, at: now)
            let frame = leaf.queue.removeFirst()
            held -= 1
            charge(leaf, lender, row, fromSavings: isSaved, frame.charge, at: now)
            if leaf.queue.isEmpty { deactivate(leaf) }
            if isVisitOver(fromSavings: isSaved, at: now) { endVisit(at: now) }
            return (leaf.id, frame.tag, frame.charge)
        }
        sharing.waiting = []
        return nil
    }

    /// The row to be served: the lowest one. But savings go before what the root lends, as long as the root is not at a ceiling; and a tree with shares chooses
    /// among the rows in which the root lends.
    private func nextRow(at now: Nanoseconds) -> (Int, isSaved: Bool)? {
        var row = rows.firstIndex { !$0.isEmpty }
        if row ?? 64 >= 56, !owed.isEmpty, visit == nil {
            payRoot(at: now)
            row = rows.firstIndex { !$0.isEmpty }
        }
        if row ?? 64 >= 56, classes[1]!.modeNow(now) != .cannot, let saver = savers.firstIndex(where: { !$0.isEmpty }) { return (saver, true) }
        if let row, row >= 56, let shares {
            return (56 + sharing.choose(among: (0..<8).filter { !rows[56 + $0].isEmpty }, shares, goesOn: visit != nil), false)
        }
        return row.map { ($0, false) }
    }

    private func endTurn(_ row: Int, _ isSaved: Bool) {
        if isSaved { savers[row].append(savers[row].removeFirst()) } else { rows[row].append(rows[row].removeFirst()) }
    }

    /// How many of the frames leave at once, without a turn. `update` must be called first.
    func bypass(_ charges: [Charge], to id: ClassID, at now: Nanoseconds) -> Int {
        guard shares == nil, let c = classes[id], c.isLeaf, c.queue.isEmpty, !parked.contains(c.p.output), arrivals.isEmpty,
            rows.allSatisfy(\.isEmpty), savers.allSatisfy(\.isEmpty) else { return 0 }
        var passed = 0
        var first: (Class, Bool)?
        for frame in charges {
            var lender: Class? = c, saver: Class?
            while let this = lender, this.modeNow(now) == .may {
                if saver == nil, this.hasSaved(now) { saver = this }
                lender = this.parent
            }
            if let found = lender, found.modeNow(now) == .cannot { lender = nil }
            var fromSavings = false
            if let saver, lender == nil || lender!.parent == nil, classes[1]!.modeNow(now) != .cannot { (lender, fromSavings) = (saver, true) }
            // All frames that pass in one call leave on the floor of one lender, or on what it saved.
            guard let lender, first == nil || first!.0 === lender && first!.1 == fromSavings else { break }
            first = (lender, fromSavings)
            // Classes below an ancestor that this frame exhausts keep waiting as before; the ancestor's mode is updated after all frames have passed.
            charge(c, lender, nil, fromSavings: fromSavings, frame, at: now)
            passed += 1
        }
        updateModes(c.way, at: now)
        return passed
    }

    /// Charges a frame that leaves. If `row` is nil, the frame passed and uses up no turn.
    func charge(_ leaf: Class, _ lender: Class, _ row: Int?, fromSavings: Bool, _ charge: Charge, at now: Nanoseconds) {
        if fromSavings { sentFromSavings += 1 }
        if charge.frames > 1 { sentAsSeveral += 1 }
        let frames = UInt64(charge.frames), packets = Int128(frames)
        let bytes = max(Int(charge.bytes) + Int(frames) * overhead, 0)
        if let shares { sharing.count(UInt64(bytes), leaf.priority, shares) }
        if leaf !== lender {
            lender.counts.lentFrames += frames
            lender.counts.lentBytes += UInt64(charge.bytes)
        }
        var c: Class? = leaf
        var lends = false
        while let this = c {
            this.counts.sentFrames += frames
            this.counts.sentBytes += UInt64(charge.bytes)
            if this.parent == nil, row != nil, this !== lender {
                owed.append(Cost(bytes: bytes, packets: packets))
                break
            }
            this.refill(now)
            this.ceiling?.charge(Int128(bytes) * 8)
            this.peak?.charge(Int128(bytes) * 8)
            this.ceilingPackets?.charge(packets)
            if this === lender {
                lends = true
                if let row {
                    this.rowDeficit -= bytes
                    if this.rowDeficit < 0 {
                        this.rowDeficit += this.quantum
                        endTurn(row, fromSavings)
                        visit?.hasTurnEnded = true
                    }
                }
            } else if !lends, let row, let parent = this.parent {
                let priority = row & 7
                this.feedDeficit[this.turn(priority)] -= bytes
                if this.feedDeficit[this.turn(priority)] < 0 {
                    this.feedDeficit[this.turn(priority)] += this.quantum
                    endTurn(of: this, in: parent, priority)
                    visit?.hasTurnEnded = true
                }
            }
            if lends {
                this.chargeFloor(bytes, fromSavings: fromSavings)
                this.floorPackets?.charge(packets)
            } else {
                this.counts.borrowedFrames += frames
                this.counts.borrowedBytes += UInt64(charge.bytes)
                this.counts.loans[lender.id, default: 0] += UInt64(charge.bytes)
            }
            c = this.parent
        }
    }
}
