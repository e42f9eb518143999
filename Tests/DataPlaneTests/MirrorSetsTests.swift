import Configuration
import DataPlane
import Testing

@Suite("Numbers by which frames that wait say which mirrors copy them") struct MirrorSetsTests {
    @Test("A set keeps its number as long as it is there, and no other has it soon after")
    func numbers() throws {
        var sets = MirrorSets()
        let first = sets.number([["a"], ["b"], ["a", "b"]])
        #expect(Set(first.values).count == 3 && !first.values.contains(0))
        let second = sets.number([["a"], ["c"]])
        #expect(second.count == 2 && second[["a"]] == first[["a"]])
        #expect(!first.values.contains(try #require(second[["c"]])))
        // Other sets come and go, as many as there may be at the same time.
        let others = Set((0..<Model.mostMirroredSets - 1).map { ["\($0)"] })
        let all = sets.number(others.union([["a"]]))
        #expect(Set(all.values).count == Model.mostMirroredSets && all[["a"]] == first[["a"]])
        #expect(all.filter { $0.key != ["a"] }.values.allSatisfy { !first.values.contains($0) && !second.values.contains($0) })
        for round in 0..<10 { #expect(sets.number(Set((0..<Model.mostMirroredSets).map { ["\(round)", "\($0)"] })).count == Model.mostMirroredSets) }
    }
}
