import Measuring
import Testing

@Suite struct TurnTests {
    /// A loop that lost half of its CPU time did twice as much per time in which it ran.
    @Test func takesLostTimeOut() {
        let turn = Turn([(100, 0), (50, 0.5)])
        #expect(turn == Turn.together([Turn(rate: 100, disturbed: 0), Turn(rate: 50, disturbed: 0.5)]))
        #expect(turn.rate == 150 && turn.runningRate == 200 && turn.disturbed == 0.5)
        #expect(Turn.mean([turn, Turn(rate: 50, disturbed: 0)]).rate == 100)
    }

    @Test func comparesUndisturbedSetsAlone() {
        let one = TurnSeries([Turn(rate: 10, disturbed: 0), Turn(rate: 9, disturbed: 0.2), Turn(rate: 20, disturbed: 0), Turn(rate: 10, disturbed: 0.5)])
        let two = TurnSeries([Turn(rate: 15, disturbed: 0), Turn(rate: 18, disturbed: 0), Turn(rate: 36, disturbed: 0.1), Turn(rate: 9, disturbed: 0)])
        #expect(two.ratios(to: one, within: 0.02, \.rate) == [1.5])
        #expect(two.ratios(to: one, within: 0.1, \.runningRate) == [1.5, 2])
        #expect(one.within(0.02).count == 2 && two.within(0.1).count == 4)
    }
}
