import MachineCode
import Testing

@Suite("What instructions do to memory")
struct InstructionTests {
    private func instruction(_ text: String) throws -> Instruction { try #require(Instruction("  19f7da:\t\(text)")) }

    @Test("loads read, stores write, as wide as their registers", arguments: [
        ("mov    0x600(%r10),%r12", 8, false), ("mov    %eax,-0x10(%rbp)", 4, true), ("movzbl 0x3(%rdi,%rsi,8),%ecx", 1, false), ("movzwl (%rdi),%eax", 2, false),
        ("mov    %r9w,(%rax)", 2, true), ("mov    %dil,(%rax)", 1, true), ("movslq (%rax),%rdx", 4, false), ("vmovdqu (%rsi),%ymm0", 32, false),
        ("vmovups %xmm1,0x10(%rdi)", 16, true), ("vmovq  %xmm1,0x10(%rdi)", 8, true), ("vmovd  (%rdi),%xmm0", 4, false), ("addq   $0x1,0x8(%rbx)", 8, true),
        ("cmpb   $0x0,0x8(%rbx)", 1, false), ("cmp    %rax,0x8(%rbx)", 8, false), ("test   %al,(%rbx)", 1, false), ("incl   (%rax)", 4, true),
        ("lock cmpxchg %rcx,(%rdx)", 8, true), ("xchg   %al,(%rdx)", 1, true), ("bt     %rax,(%rdx)", 8, false), ("bts    %rax,(%rdx)", 8, true),
        ("mulq   0x8(%rax)", 8, false), ("imul   0x8(%rax),%rcx", 8, false), ("jmp    *0x2fe2(%rip)        # 3040 <x>", 1, false), ("call   *0x18(%rax)", 1, false),
        ("sete   0x7(%rsp)", 1, true), ("vpaddq (%rax),%ymm1,%ymm2", 32, false), ("vextracti128 $0x1,%ymm0,(%rax)", 16, true),
    ])
    func directions(_ text: String, _ bytes: Int, _ writes: Bool) throws {
        let found = try instruction(text)
        #expect(found.accesses.count == 1)
        // If no register shows the width, a letter of the name may; otherwise, the least possible width is returned.
        if !text.contains("*") { #expect(found.bytes == bytes) }
        #expect(found.accesses.first?.writes == writes)
    }

    @Test("strings are moved from one place to another")
    func strings() throws {
        let found = try instruction("rep movsb %ds:(%rsi),%es:(%rdi)")
        #expect(found.accesses.map(\.writes) == [false, true])
        #expect(found.accesses.map(\.operand) == [MemoryOperand(base: .register(6)), MemoryOperand(base: .register(7))])
        #expect(found.bytes == 1)
    }

    @Test("what touches no memory has no operand", arguments: [
        "lea    0x8(%rax,%rbx,4),%rcx", "nopw   0x0(%rax,%rax,1)", "prefetcht0 (%rax)", "mov    %rax,%rbx", "ret", "call   4d310 <memcpy@plt>", "mov    $0x10,%eax",
    ])
    func nothing(_ text: String) throws { #expect(try instruction(text).accesses.isEmpty) }

    @Test("addresses are made of what the operand names")
    func addresses() throws {
        func address(_ text: String) throws -> UInt64 {
            try #require(try instruction(text).accesses.first).operand.address(next: 0x5000, threadBlock: 0x7000) { UInt64($0) * 0x100 }
        }
        #expect(try address("mov    (%rax),%rcx") == 0)
        #expect(try address("mov    0x18(%rbx),%rcx") == 0x318)
        #expect(try address("mov    -0x8(%r15,%rdx,4),%rcx") == 0xf00 + 0x800 - 8)
        #expect(try address("mov    0x10(,%r8,8),%rcx") == 0x4010)
        #expect(try address("mov    0x20(%rip),%rcx        # 5020 <x>") == 0x5020)
        #expect(try address("mov    %fs:0x28,%rax") == 0x7028)
        #expect(try address("mov    %fs:(%rcx),%rax") == 0x7100)
    }

    @Test("lines without an instruction are none", arguments: ["", "0000000000001000 <x>:", "Disassembly of section .text:", "lib.so:     file format elf64-x86-64"])
    func others(_ line: String) { #expect(Instruction(Substring(line)) == nil) }
}

@Suite("Lines that threads contest")
struct LineUseTests {
    private func use(_ accesses: (UInt64, Int, Bool)...) -> LineUse {
        var use = LineUse()
        for (address, bytes, writes) in accesses { use.note(address, bytes: bytes, writes: writes, by: 0x1000) }
        return use
    }

    @Test("a line is contested where both touch it and one writes")
    func contested() {
        #expect(use((0x1000, 8, true)).contested(with: use((0x1038, 8, false))) == [0x40])
        #expect(use((0x1000, 8, false)).contested(with: use((0x1038, 8, true))) == [0x40])
        #expect(use((0x1000, 8, false)).contested(with: use((0x1000, 8, false))) == [])
        #expect(use((0x1000, 8, true)).contested(with: use((0x1040, 8, true))) == [])
        // These are 16 bytes that extend over two lines.
        #expect(use((0x1038, 16, true)).contested(with: use((0x1040, 8, false))) == [0x41])
    }

    @Test("a pair is contested where they touch a line of it each")
    func pairs() {
        #expect(use((0x1000, 8, true)).contestedPairs(with: use((0x1040, 8, false))) == [0x40])
        #expect(use((0x1040, 8, true)).contestedPairs(with: use((0x1080, 8, true))) == [])
        #expect(use((0x1000, 8, false)).contestedPairs(with: use((0x1040, 8, false))) == [])
    }
}
