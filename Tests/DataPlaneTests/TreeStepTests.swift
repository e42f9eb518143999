import DataPlane
import Scheduler
import Testing

/// If a tree refuses a step, the message says what was to be done and why it was not.
@Suite struct TreeStepTests {
    @Test func aStepThatIsRefusedSaysWhatAndWhy() {
        let tree = ClassTree.create(root: ClassParameters(), frames: 8, outputs: 2, overhead: 0, now: 0)
        defer { ClassTree.destroy(tree) }
        var noCeiling = ClassParameters()
        noCeiling.ceiling = 0
        let steps: [(step: TreeStep, says: String)] = [
            (.add(5, under: 9, ClassParameters()), "add class 5 under class 9 in tree up1: there is no such parent."),
            (.add(1, under: 1, ClassParameters()), "add class 1 under class 1 in tree up1: that class is the root, or none."),
            (.change(5, ClassParameters()), "change class 5 in tree up1: there is no such class."),
            (.change(1, noCeiling), "change class 1 in tree up1: its ceiling is 0"),
            (.move(5, under: 1), "move class 5 under class 1 in tree up1: there is no such class."),
            (.remove(5, heir: 6), "remove class 5, whose frames class 6 takes over in tree up1: there is no such class."),
            (.remove(5, heir: 0), "remove class 5 in tree up1: there is no such class."),
        ]
        for (step, says) in steps {
            let verdict = step.carryOut(on: tree, at: 0)
            #expect(verdict != .done)
            let sentence = step.refusal(verdict, cpu: 3, tree: "up1")
            #expect(sentence.hasPrefix("the poll loop on CPU 3 refused to \(says)"), "\(sentence)")
        }
        for step: TreeStep in [.add(5, under: 1, ClassParameters()), .overhead(bytes: 24), .unpark(output: 1), .freeFrames, .remove(5, heir: 0)] {
            #expect(step.carryOut(on: tree, at: 0) == .done)
        }
        #expect(TreeStep.unpark(output: 1).refusal(.badParameters, cpu: 2, tree: nil).contains("in a tree that is gone"))
    }
}
