import Configuration
import ControlAPI
import ControlPlane
import Testing

/// What the log is told of ports.
@Suite struct PortWatchTests {
    private func vhost(_ condition: String, lost: Bool = false) -> PortWatch.Sight {
        PortWatch.Sight(name: "vm1", kind: .vhost, condition: condition, isWaiting: condition == "waiting for the guest", isLost: lost)
    }

    private func wire(_ condition: String, lost: Bool = false) -> PortWatch.Sight { PortWatch.Sight(name: "up", kind: .physical, condition: condition, isLost: lost) }

    /// What is told when a port passes through these conditions, ten minutes apart.
    private func told(_ sights: [PortWatch.Sight]) -> [String] {
        var watch = PortWatch()
        return sights.enumerated().flatMap { number, sight in watch.look([sight], now: Double(number) * 600).map { "\($0.level) \($0.port ?? "") \($0.text)" } }
    }

    @Test func guestsComeAndGo() {
        #expect(told([vhost("waiting for the guest"), vhost("up"), vhost("up"), vhost("waiting for the guest"), vhost("up")]) == [
            "info vm1 a guest is connected", "notice vm1 the guest is gone", "info vm1 a guest is connected",
        ])
        // The guest was there as soon as the port was.
        #expect(told([vhost("up")]) == ["info vm1 a guest is connected"])
        #expect(told([vhost("up"), vhost("stopped queue 0"), vhost("up")]).dropFirst() == ["error vm1 the port fails: stopped queue 0", "notice vm1 the port works again"])
        #expect(told([vhost("down")]) == ["warning vm1 the guest has taken its link down"])
    }

    @Test func carriersAreLostAndReturn() {
        #expect(told([wire("up"), wire("down"), wire("up")]) == ["warning up the carrier is lost", "notice up the carrier is back"])
        #expect(told([wire("down"), wire("up")]) == ["notice up the carrier is back"])
        // Of a port that is not open, its opening tells.
        #expect(told([wire("up"), wire("no interface", lost: true), wire("up")]) == [])
    }

    @Test func aFlappingGuestIsToldNowAndThen() {
        var watch = PortWatch(), sentences: [String] = []
        for second in 0..<600 {
            sentences += watch.look([vhost(second % 2 == 0 ? "up" : "waiting for the guest"), wire("up")], now: Double(second)).map(\.text)
        }
        // Six at once, and one a minute.
        #expect((14...16).contains(sentences.count), "\(sentences)")
        #expect(sentences.last?.contains("that were not told") == true)
        // Where it has come to rest is told in the end, and a port that is gone is forgotten.
        sentences = (600..<800).flatMap { second in watch.look([vhost("waiting for the guest")], now: Double(second)).map(\.text) }
        let after = sentences.isEmpty ? "the guest is gone" : sentences[0]
        #expect(sentences.count <= 1 && after.hasPrefix("the guest is gone"), "\(sentences)")
        #expect(watch.look([], now: 900).isEmpty)
        #expect(watch.look([vhost("up")], now: 901).map(\.text) == ["a guest is connected"])
    }

    @Test func aLimitLetsSomePassAtOnceAndThenOneInAWhile() {
        var limit = RateLimit(burst: 2, seconds: 10)
        #expect((0..<5).map { _ in limit.consume(1) } == [true, true, false, false, false])
        #expect(!limit.consume(10) && limit.consume(11.5) && !limit.consume(12))
        #expect((0..<3).map { _ in limit.consume(1_000) } == [true, true, false])
    }
}
