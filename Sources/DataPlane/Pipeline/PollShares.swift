/// How one poll loop divides its time among the ports that it polls when all of them together want more than there is.
///
/// Each port has an account of the cycles that its frames took, from polling to sending, times a price that is the higher the smaller the port's weight is. The
/// level is the least account of all ports that still have frames. A port whose account is further above the level than the slack is not polled until the level
/// has come up to it, so ports that always have frames get cycles in proportion to their weights, whatever a frame of theirs costs, and a port that asks for less
/// than its share gets all of it. An account that is below the level is raised to it: nobody saves up time. (Start-time fair queueing, Goyal, Vin and Cheng, 1996,
/// with bursts for packets and cycles for bytes.)
///
/// Turns stay short, so that a port that asks for little is looked at often: once the bursts of a turn have taken long, ports that had more frames than they were
/// polled for wait for the next turn, which begins at another queue; and a port whose frames are dear is polled for fewer of them at once. Between the bursts of
/// ports that had more frames, queues that had no more are looked at. Where all ports that send have more frames than they are polled for, nobody gains by that,
/// and turns are longer, as larger bursts cost less.
///
/// This is done only for some time after a turn was long, as round robin gives each port a burst in each turn, which is enough while turns are short. Only the
/// loop uses this.
package struct PollShares: ~Copyable {
    /// The price of the port with the largest weight, and the highest price. A port has at least a 64th of what the port with the largest weight has.
    package static let leastPrice: UInt64 = 64
    package static let mostPrice: UInt64 = 64 * 64
    /// Turns longer than this, in nanoseconds, make a loop divide its time, and it goes on for so long.
    static let longTurn: UInt64 = 10_000
    static let lasting: UInt64 = 10_000_000
    /// Then no burst begins of a port that always has frames when those of the turn have taken so long, in nanoseconds, and none should take longer than half of it, or than it where frames are long.
    static let shortTurn: UInt64 = 5_000
    /// A burst of frames that are longer than this, in bytes, may take as long as a turn: the fewer such frames are copied one after another, the longer each of
    /// them takes. One or two of 9 000 bytes at once take twice as long a frame as 32 do, and four take a fifth more.
    static let longFrame: UInt32 = 4_096
    /// How many times longer turns are while no port asks for little, and for how long it is remembered that one did, in nanoseconds.
    static let ease: UInt64 = 8
    static let remembered: UInt64 = 100_000_000
    /// How far above the level an account may be for its port to be polled, and how far it can get, as nanoseconds of the port with the largest weight.
    static let slack: UInt64 = 10_000
    static let mostAhead: UInt64 = 10_000_000

    private struct Account {
        var cost: UInt64
        /// The cycles of a frame in the port's latest bursts, rather too many than too few.
        var perFrame: UInt32 = 0
        /// Whether it had more frames than it was polled for last.
        var hasMore = false
        /// Whether its frames are longer than `longFrame`.
        var isLong = false
    }

    /// A queue that had no more frames than it was polled for, by its place among the queues that the loop polls, and its port.
    private struct Modest {
        var place: UInt16
        var port: UInt16
        /// Whether it was modest since queues were last forgotten.
        var isRecent = true
    }

    /// How many modest queues are known at most; how many of them are looked at after bursts of ports that had more frames; and how long these bursts must have
    /// taken, in nanoseconds, as looking at a queue costs time even if it is empty.
    private static let mostModest = 16
    private static let looksAtOnce = 2
    static let betweenLooks: UInt64 = 1_000

    /// Accounts, by `PortIndex`, and the level. They wrap around; all accounts that are in use are near the level.
    private let accounts: UnsafeMutablePointer<Account>
    private var level: UInt64
    /// The queues that were modest lately; when others were last forgotten, in nanoseconds; the next to be looked at; how many are looked at before the turn goes
    /// on; and what the bursts of ports that had more frames have taken since some were.
    private let modest: UnsafeMutablePointer<Modest>
    private var modestCount = 0
    private var forgotAt: UInt64 = 0
    private var nextModest = 0
    private var looks = 0
    private var unlooked: UInt64 = 0
    private let betweenLooksCycles: UInt64
    /// What the bursts of this turn have taken.
    private var spent: UInt64 = 0
    /// What the bursts of this turn would have taken in addition if all that had more frames had been polled for whole bursts.
    private var spared: UInt64 = 0
    /// The queue at which the turn begins.
    private var first = 0
    /// The least account that was seen in this turn of a port that still has frames, relative to the level, and whether there was any.
    private var least: Int64 = .max
    /// The same periods in cycles, times `leastPrice` where accounts are compared with them.
    package var longTurnCycles: UInt64
    /// How long the bursts of a turn may take in which the time is divided before ports wait for the next one, while a port asks for little.
    package var turnCycles: UInt64
    /// The same of this turn, and the slack, which must not be less than what a turn takes.
    private var turnLimit: UInt64 = 0
    private var turnSlack: Int64 = 0
    /// How long a burst should take at most.
    private var burstLimit: UInt64 = 0
    /// Turns stay short up to this time, in nanoseconds.
    private var shortUntil: UInt64 = 0
    private let lastingCycles: UInt64
    private let slackCost: Int64
    private let mostAheadCost: Int64
    /// The time is divided in turns that begin before this time, in cycles.
    private var until: UInt64 = 0
    /// How long the turn before took: the time for which a port that is not polled now has waited since it was last looked at.
    package private(set) var turnNanoseconds: UInt64 = 0
    private var lastTurn: UInt64 = 0
    /// The cycles that it takes to schedule and send a frame that was queued, on average.
    private var queuedCost: UInt64 = 0

    /// - Parameters:
    ///   - ports: the number of accounts.
    ///   - level: where accounts begin.
    ///   - cycles: gives the cycles in a number of nanoseconds.
    package init(ports: Int, level: UInt64 = 0, cycles: (UInt64) -> UInt64) {
        accounts = .allocate(capacity: ports)
        accounts.initialize(repeating: Account(cost: level), count: ports)
        modest = .allocate(capacity: Self.mostModest)
        modest.initialize(repeating: Modest(place: 0, port: 0), count: Self.mostModest)
        betweenLooksCycles = cycles(Self.betweenLooks)
        self.level = level
        longTurnCycles = cycles(Self.longTurn)
        turnCycles = cycles(Self.shortTurn)
        lastingCycles = cycles(Self.lasting)
        slackCost = Int64(cycles(Self.slack) &* Self.leastPrice)
        mostAheadCost = Int64(cycles(Self.mostAhead) &* Self.leastPrice)
    }

    deinit {
        accounts.deallocate()
        modest.deallocate()
    }

    /// Whether the time is divided in a turn that begins at `cycles`.
    @inline(__always) @_noLocks
    package func isOn(at cycles: UInt64) -> Bool { cycles < until }

    /// Notes that a turn that found frames took long, and ended at `cycles`.
    @inline(never) @_noLocks
    package mutating func noteLongTurn(endedAt cycles: UInt64) {
        if cycles >= until { lastTurn = 0 }
        until = cycles &+ lastingCycles
    }

    /// Begins a turn in which the time is divided.
    /// - Parameter queues: how many queues the loop polls.
    /// - Returns: the queue that is polled first, below `queues`. The others follow in order, and those before it last.
    @inline(never) @_noLocks
    package mutating func beginTurn(at now: UInt64, queues: Int) -> Int {
        turnNanoseconds = lastTurn == 0 ? 0 : now &- lastTurn
        lastTurn = now
        least = .max
        spent = 0
        spared = 0
        let isShort = now < shortUntil
        turnLimit = isShort ? turnCycles : turnCycles &* Self.ease
        turnSlack = isShort ? slackCost : slackCost &* Int64(Self.ease)
        burstLimit = isShort ? turnLimit &>> 1 : turnLimit
        looks = 0
        if now &- forgotAt > Self.remembered {
            forgetModest()
            forgotAt = now
        }
        first = first &+ 1 < queues ? first &+ 1 : 0
        return first
    }

    /// Whether a port may be polled in this turn.
    @inline(never) @_noLocks
    package mutating func admits(_ port: UInt16) -> Bool {
        let account = accounts + Int(port)
        let ahead = Int64(bitPattern: account.pointee.cost &- level)
        if ahead < 0 { account.pointee.cost = level }
        if ahead > turnSlack || account.pointee.hasMore && spent >= turnLimit {
            // An account that nobody has looked at for a very long time may be anywhere.
            if ahead > mostAheadCost { account.pointee.cost = level &+ UInt64(mostAheadCost) }
            least = min(least, max(0, min(ahead, mostAheadCost)))
            if account.pointee.hasMore { spared &+= UInt64(account.pointee.perFrame) &* UInt64(burstSize) }
            return false
        }
        return true
    }

    /// A queue to be looked at before the turn goes on, as ports that had more frames have taken some time, and this one had not when it was polled last.
    /// - Parameter queues: how many queues the loop polls.
    /// - Returns: its place among the queues; nil: the turn goes on.
    @inline(never) @_noLocks
    package mutating func nextModestQueue(of queues: Int) -> Int? {
        while looks > 0 {
            looks &-= 1
            nextModest = nextModest &+ 1 < modestCount ? nextModest &+ 1 : 0
            let (place, account) = (Int(modest[nextModest].place), accounts + Int(modest[nextModest].port))
            if place < queues, !account.pointee.hasMore, Int64(bitPattern: account.pointee.cost &- level) <= turnSlack { return place }
        }
        return nil
    }

    /// Forgets queues that were not modest since this was last done, such as those without frames. Queues come to other places when ports come and go.
    @inline(never) @_noLocks
    private mutating func forgetModest() {
        var kept = 0
        for index in 0..<modestCount where modest[index].isRecent {
            modest[kept] = modest[index]
            modest[kept].isRecent = false
            kept &+= 1
        }
        modestCount = kept
    }

    @inline(__always) @_noLocks
    private mutating func noteModest(_ place: Int, _ port: UInt16) {
        shortUntil = lastTurn &+ Self.remembered
        for index in 0..<modestCount where Int(modest[index].place) == place {
            modest[index] = Modest(place: UInt16(truncatingIfNeeded: place), port: port)
            return
        }
        if modestCount == Self.mostModest { return }
        modest[modestCount] = Modest(place: UInt16(truncatingIfNeeded: place), port: port)
        modestCount &+= 1
    }

    /// How many frames a port should be polled for at once.
    /// - Parameter most: the largest number.
    @inline(never) @_noLocks
    package func burst(of port: UInt16, most: Int) -> Int {
        let account = accounts + Int(port), limit = account.pointee.isLong ? turnLimit : burstLimit
        let each = Int(account.pointee.perFrame), long = Int(truncatingIfNeeded: limit)
        return each &* most <= long ? most : max(1, long / each)
    }

    /// Charges a port for the frames that one of its queues was polled for.
    /// - Parameters:
    ///   - place: the queue's place among those that the loop polls.
    ///   - frames: their number; not 0.
    ///   - cycles: what they took until they were sent or queued.
    ///   - queued: how many of them were queued, counted for each output. They will take more cycles.
    ///   - price: see `price(of:heaviest:)`.
    ///   - hasMore: whether the port has more frames.
    ///   - length: how long one of them was, in bytes.
    @inline(never) @_noLocks
    package mutating func charge(
        _ port: UInt16, at place: Int, frames: Int, cycles: UInt64, queued: Int, price: UInt64, hasMore: Bool, length: UInt32
    ) {
        let account = accounts + Int(port)
        let later = UInt64(truncatingIfNeeded: max(queued, 0)) &* queuedCost, sum = min(cycles &+ later, lastingCycles)
        let before = Int64(bitPattern: account.pointee.cost &- level)
        let ahead = min(before &+ Int64(truncatingIfNeeded: sum &* price), mostAheadCost)
        account.pointee.cost = level &+ UInt64(bitPattern: ahead)
        account.pointee.hasMore = hasMore
        account.pointee.isLong = length > Self.longFrame
        if hasMore {
            least = min(least, ahead)
            unlooked &+= sum
            if unlooked >= betweenLooksCycles {
                unlooked = 0
                looks = min(Self.looksAtOnce, modestCount)
            }
        } else {
            noteModest(place, port)
        }
        // A port cannot hide a few dear frames behind many cheap ones.
        let each = UInt32(truncatingIfNeeded: min(sum / UInt64(truncatingIfNeeded: max(frames, 1)), 1 << 24))
        account.pointee.perFrame = max(each, account.pointee.perFrame &- account.pointee.perFrame &>> 4)
        if hasMore { spared &+= UInt64(each) &* UInt64(truncatingIfNeeded: max(burstSize &- frames, 0)) }
        spent &+= sum
    }

    /// Ends a turn in which the time was divided.
    /// - Parameters:
    ///   - frames: how many queued frames were scheduled and sent in it.
    ///   - cycles: how long that took.
    ///   - now: when it ends, in cycles.
    @inline(never) @_noLocks
    package mutating func endTurn(sent frames: Int, in cycles: UInt64, at now: UInt64) {
        // That turns are short now does not mean that they would be if the time were not divided.
        if spent &+ spared > longTurnCycles { until = now &+ lastingCycles }
        if frames > 0 { queuedCost = queuedCost &- queuedCost &>> 4 &+ (cycles / UInt64(truncatingIfNeeded: frames)) &>> 4 }
        if least != .max, least > 0 { level &+= UInt64(least) }
    }

    /// The price of a cycle for a port with a weight.
    /// - Parameter heaviest: the largest weight of all ports; not 0.
    package static func price(of weight: UInt64, heaviest: UInt64) -> UInt64 {
        let price = Double(heaviest) / Double(max(weight, 1)) * Double(leastPrice)
        return UInt64(min(max(price.rounded(), Double(leastPrice)), Double(mostPrice)))
    }
}
