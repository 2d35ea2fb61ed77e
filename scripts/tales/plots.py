"""What happens in a tale: each plot is a function that tells one."""

from __future__ import annotations

from collections.abc import Callable

from scripts.tales.world import World

NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight"]

OPENING = [
    "[Once upon a time|Long ago|Once] there was {h.intro}[.| who lived {place}.]",
    "[Once|Once upon a time], {place}, [there lived|lived] {h.intro}.",
    "There was once {h.intro}. {h.He} lived {place}.",
]
HAPPY = [
    "{h} was [very|so] happy.",
    "{h} [smiled|laughed] and [jumped for joy|clapped {h.his} hands|danced a little dance].",
    "{h} had never been so glad.",
]
EVENING = [
    "In the evening {h} [fell asleep with a smile|told {h.his} {old} all about it|lay in bed and thought of the day].",
    "When the sun went down, {h} went home [with a warm heart|and slept well|and ate a big bowl of soup].",
    "That night the stars were bright, and {h} [slept well|dreamed of the day].",
    "And from that day on {h} and {f} were [good|the best of|true] friends.",
]
QUIET = EVENING[:3]
"""Endings of tales in which nobody but the hero has a name."""


LIKES = (
    "[|||{h.He} liked to [sing|climb trees|draw|sleep late|count the clouds|collect leaves|tell jokes|look at the stars]."
    "|{h} loved everything that was {c}.|Everybody {place} knew {h.him}.]"
)


def opening(w: World) -> str:
    return w.rng.choice(OPENING) + " " + LIKES


def lost(w: World) -> str:
    """A thing is lost, looked for in wrong places, and found."""
    finds = w.rng.sample(["an empty nest", "a wet leaf", "an old shoe", "a snail", "a broken cup", "a sleepy cat"], 2)
    w.slots |= {"find": finds[0], "find2": finds[1]}
    return w.tell(
        opening(w),
        "{h} had a {c} {toy}[.|, and {h.he} loved it very much.| that {h.his} {old} had made.]",
        "{Time} [the wind took the {toy} away.|{h} could not find the {toy}.|the {toy} was gone.]",
        '["Where is my {toy}?" asked {h}.|"Oh no, my {c} {toy}!" cried {h}.|{h} was sad and began to look for it.]',
        "{h.He} looked {hide2}, but there was only {find}.",
        "[Then {h.he} looked {hide3}, but there was only {find2}.|{h.He} looked {hide3} too, but it was not there.|]",
        'Then {h.he} met {s.intro}. "Have you seen [my {c} {toy}|a {c} {toy}]?" asked {h}.',
        '"[Yes|Oh yes], I saw something {c} {hide}," said {s}.',
        "{h} ran there, and [really|there it was]: the {c} {toy} lay {hide}.",
        '"Thank you, [dear|kind] {s.kind}!" said {h}.',
        w.rng.choice(HAPPY),
        "[From then on {h.he} always [took good care of|held on to] the {toy}.|" + w.rng.choice(QUIET) + "]",
    )


def rescue(w: World) -> str:
    """Somebody is stuck; the first attempt fails, a tool helps; thanks come later."""
    trap, tool, way = w.rng.choice(
        [
            ("in an old net", "knife", "cut the net"),
            ("in a deep hole", "rope", "let the rope down"),
            ("under a heavy branch", "pole", "lifted the branch"),
            ("in the thick mud", "board", "laid the board on the mud"),
            ("in a thorn bush", "pair of scissors", "cut the thorns"),
        ]
    )
    w.slots |= {"trap": trap, "tool": tool, "way": way}
    return w.tell(
        opening(w),
        "{Time} {h} [was walking|went for a walk] {place} [when {h.he} heard a cry|and heard somebody cry].",
        '"Help! [Please help me|I am stuck]!" It was {s.intro}. {s.Name} was stuck {trap}.',
        "{h} [pulled and pulled|pulled as hard as {h.he} could], but {s} did not come free.",
        '"[Wait here|Do not be afraid|I will come back]!" said {h}. {h.He} ran home [to {h.his} {old} |]and [came back with|fetched] a {tool}.',
        "[Carefully|Slowly|Then] {h.he} {way}, and {s} was free.",
        '"Thank you," said {s}. "[I will not forget this|One day I will help you too]."',
        "[A week later|Some days later|When winter came] {h} lost {h.his} way [in the fog|in the snow|in the dark].",
        "[Who came along?|Suddenly there was a voice.] It was {s}! {s.Name} [led {h} home|showed {h.him} the way home].",
        '[Now they both knew what a friend is.|A good deed comes back.|"Now we are even," said {s}, and they both laughed.]',
    )


def sharing(w: World) -> str:
    """Numbers that come out right."""
    have = w.rng.randint(3, 6)
    give = w.rng.randint(1, have - 2)
    give2 = w.rng.randint(1, have - give - 1)
    rest = have - give - give2
    fruit = str(w.slots["fruit"])
    one = {"cherries": "cherry", "berries": "berry"}.get(fruit, fruit.removesuffix("s"))

    def count(n: int) -> str:
        return f"{NUMBERS[n]} {one if n == 1 else fruit}"

    w.slots |= {"have": count(have), "give": count(give), "give2": count(give2), "rest": count(rest)}
    w.slots["left"] = count(have - give)
    return w.tell(
        opening(w),
        "{Time} {h.his} {old} gave {h.him} {have}[ in a little basket|]. {h} [set off|went for a walk|sat down] {place}.",
        'There {h.he} met {s.intro}. "I am so hungry," said {s}. {h} gave {s} {give}, and then {h.he} had {left}.',
        '[Soon|A little later] {h.he} met {s2.intro}. "[I have had nothing to eat today|My bag is empty]," said {s2}.',
        "{h} gave {s2} {give2}. Now {h.he} had only {rest} left.",
        '["That is enough for me," said {h}.|{h} [was not sad|did not mind].]',
        "But [the next day|in the evening] {s} and {s2} came to {h.his} door.",
        "They brought [a big cake|a pot of honey|a warm pie|a jar of jam], and [all three|they] ate it together.",
        '["Everything tastes better with friends," said {h}.|{h} learned that what you give away comes back to you.|It tasted better than all the {fruit} in the world.]',
    )


def afraid(w: World) -> str:
    """A fear, a friend, and a first step."""
    fear, sight, step, reward = w.rng.choice(
        [
            ("the dark", "the night came", "went out into the dark", "saw a thousand stars"),
            ("the water", "the others went swimming", "put one foot into the water", "swam like a fish"),
            ("the thunder", "a storm came", "listened and counted to ten", "found that the storm was far away"),
            (
                "high places",
                "the others climbed the tree",
                "climbed one branch and then the next",
                "saw the whole land",
            ),
            ("the big dog", "the dog barked", "held out a hand to the dog", "felt a warm tongue"),
            ("the cellar", "somebody had to fetch the jam", "went down step by step", "found a nest of kittens"),
        ]
    )
    w.slots |= {"fear": fear, "sight": sight, "step": step, "reward": reward}
    return w.tell(
        opening(w),
        "{h} was afraid of {fear}. When {sight}, {h.he} [hid under the blanket|ran home|closed {h.his} eyes].",
        "{h.His} friend {f} [saw it|knew that]. {f} was {f.kind}.",
        '"[Why are you afraid|What is wrong], {h}?" asked {f}. "[I do not know|It is so big and I am so small]," said {h}.',
        '"[I was afraid of it too|Everybody is afraid of something]," said {f}. "[Take my hand|Come with me]. We [will go|go] together."',
        "So {h} took a deep breath. {h.He} {step}, and {f} stayed [beside {h.him}|close].",
        "[And look!|Nothing bad happened.] {h} {reward}.",
        '"[I did it|It is not so bad|It is beautiful]!" [said|cried|called] {h}.',
        "[After that {h} was not afraid of {fear} any more.|{h} was still a little afraid of {fear}, but now {h.he} was brave too.]",
        w.rng.choice(EVENING),
    )


def build(w: World) -> str:
    """It falls down at first."""
    thing, stuff, flaw, better = w.rng.choice(
        [
            ("boat", "planks", "it was full of water at once", "close the gaps with wax"),
            ("hut", "branches", "the wind blew it over", "dig the posts into the ground"),
            ("bridge", "ropes", "it broke in the middle", "put a strong post below"),
            ("snowman", "snow", "his head fell off", "make the head smaller"),
            ("tower", "stones", "it fell down", "put the big stones below"),
            ("swing", "string", "the string broke", "take a thick rope"),
            ("cart", "boards", "a wheel came off", "hold the wheel with a pin"),
        ]
    )
    w.slots |= {"thing": thing, "stuff": stuff, "flaw": flaw, "better": better}
    return w.tell(
        opening(w),
        "{h} [wanted to build|dreamed of|wished for] a {thing}. {h.He} [gathered|looked for] {stuff} {place} and worked [all day|until noon|for hours].",
        "[At last|In the end] the {thing} was ready. But {flaw}.",
        '["It is no good," said {h} and sat down.|{h} was [angry|sad] and [kicked a stone|wanted to give up].]',
        '{s.Intro} came by and looked at it. "You must {better}," said {s}.',
        '["Will you help me?" asked {h}. "Of course," said {s}. [Together they began again.|They worked side by side.]'
        "|{h} thought about it and [stood up|began again]. This time {h.he} took {h.his} time.]",
        "[The new {thing} was|Now the {thing} was] [better than the first|strong and fine].",
        '["It holds!" [cried|called] {h}.|"Look, it holds," said {s}.]',
        "[{f}, {h.his} neighbour, came to see the {thing}.|The whole village came to see the {thing}.|]",
        '[{h} had learned not to give up.|Sometimes the second try is the best.|{h} called the {thing} "[Lucky|Sunshine|Good Friend]".]',
    )


def quarrel(w: World) -> str:
    """Two want the same."""
    return w.tell(
        opening(w),
        "{h.His} best friend was {f}. {Time} they found a {c} {toy} {hide}.",
        '"It is mine!" [said|cried] {h}. "No, I saw it first!" [said|cried] {f}.',
        "They pulled and pulled, until [the {toy} broke|they both fell down|the {toy} fell into the mud].",
        "[Now they were both sad.|Nobody said a word.|{h} went home alone, and {f} did too.]",
        '[The next day|In the evening|After a while] {h} [thought|said to {h.his} {old}]: "[I miss {f}|A {toy} is no fun alone]."',
        'So {h.he} went to {f} and said, "I am sorry." "I am sorry too," said {f}.',
        "They [cleaned|mended|fetched] the {toy} together. [From then on|Now] it was {h}'s turn [on one day and {f}'s turn on the next|in the morning and {f}'s turn in the afternoon].",
        "[And the {c} {toy} made them both happy.|Two friends are worth more than one {toy}.|And they never fought about a {toy} again.]",
    )


def trade(w: World) -> str:
    """A chain of exchanges that leads to the wish."""
    a, b, c = w.rng.sample(
        ["a jar of honey", "a bag of flour", "a warm blanket", "a big pumpkin", "a pair of boots", "a loaf of bread"], 3
    )
    bare = [x.split(" ", 1)[1] for x in (a, b, c)]
    w.slots |= {"a": a, "b": b, "d": c, "ta": bare[0], "tb": bare[1], "td": bare[2]}
    return w.tell(
        opening(w),
        "{h} wished for a {c} {toy}, but {h.he} had [no money|not one coin]. All {h.he} had was {a}.",
        "{h.He} took the {ta} and went [to the market|along the road].",
        'First {h.he} met {s.intro}. "[I need|I would like] {a}," said {s}. "I will give you {b} for it." So {h} gave away the {ta} and took the {tb}.',
        'Then {h.he} met {s2.intro}. "[I need|I have long looked for] {b}," said {s2}. "[Take|I give you] {d} for it." So {h} gave away the {tb} and took the {td}.',
        'At last {h.he} met {f}. {f} had a {c} {toy}! "[Oh, {d}|What a fine {td}]," said {f}. "[Shall we trade?|Let us trade!]"',
        '"[Yes|With joy]!" said {h}. [Now|And so] {h} had the {c} {toy} that {h.he} had wished for.',
        "[{h.He} [played with it|looked at it] until the sun went down.|" + w.rng.choice(HAPPY) + "]",
    )


def seed(w: World) -> str:
    """Patience."""
    plant, crop = w.rng.choice(
        [
            ("a sunflower", "It was taller than the house"),
            ("a pumpkin", "It was as big as a cart"),
            ("an apple tree", "It was full of red apples"),
            ("a bean", "It climbed up to the roof"),
            ("a rose", "It smelled sweet"),
            ("a strawberry plant", "It was full of sweet berries"),
        ]
    )
    w.slots |= {"plant": plant, "bare": plant.split(" ", 1)[1], "crop": crop}
    return w.tell(
        opening(w),
        '{Time} {h.his} {old} gave {h.him} a seed. "[Put it in the ground|Plant it] and [wait|be patient]," said {h.his} {old}.',
        "{h} [dug a hole|planted the seed] {hide} and [gave it water|watered it] every day.",
        "The first week [nothing happened|there was nothing to see]. The second week [nothing happened|there was nothing] either.",
        '"[It will never grow|Maybe it is asleep]," said {h}. "[Wait a little|Give it time]," said {h.his} {old}.',
        "[Then it rained|Then the sun shone] for [three days|a whole day], and a small green leaf came out of the ground.",
        "[The leaf became|It grew and grew and became] {plant}. {crop}.",
        '[{h} called {f}, and they [sat down|danced] beside the {bare}.|{h} ran to {h.his} {old}. "You were right!" {h.he} said.]',
        "[Good things take time.|And the next spring {h} planted ten more seeds.|{h} saved one seed for {f}.]",
    )


def gift(w: World) -> str:
    """Something that is made by hand."""
    return w.tell(
        opening(w),
        "Tomorrow was the birthday of {h.his} friend {f}, but {h} had no gift.",
        "{h} [looked into {h.his} box|opened {h.his} drawer]. There was only a {c} {gem} and [some|a piece of] {c2} [string|paper|cloth].",
        '["What can I do with that?"|"That is not much,"|"It is so little,"] [thought|said] {h}.',
        '{h.He} went to {h.his} {old}. "[The best gift is made by hand|A gift need not be big]," said {h.his} {old}.',
        "So {h} [worked all evening|sat down at the table] and made a {toy} with the {c} {gem} on top.",
        "The next day {f} got many things. But when {f.he} saw the {toy}, {f.his} eyes [grew wide|shone].",
        '"Did you make [this|it] [yourself|for me]?" asked {f}. "Yes," said {h}, and [{h.his} cheeks were red|{h.he} looked at {h.his} feet].',
        '"[It is the best gift of all|I will keep it for ever]," said {f} and [hugged|thanked] {h}.',
        w.rng.choice(EVENING),
    )


def secret(w: World) -> str:
    """A key and what it opens."""
    inside = w.rng.choice(["an old map", "a letter", "a music box", "a tiny clock", "a picture", "a book of songs"])
    w.slots |= {"inside": inside, "thing": inside.split(" ", 1)[1]}
    return w.tell(
        opening(w),
        '{Time} {h.he} found a {c} key {hide}. "[What does it open|Which door is it for]?" [asked|thought] {h}.',
        "{h.He} tried it [on the door of the house|on the gate], but it did not fit. {h.He} tried it [on the shed|on the big chest], but it did not fit there [either|].",
        '{h} showed the key to {f}. "[I know a box|I once saw a box] {hide2}," said {f}. "[Come|Let us go and see]!"',
        "[They ran all the way.|It was a long way.|] {Hide2} stood a small {c2} box. {h} put the {c} key in, and [click!|] the box [opened|was open].",
        'Inside lay {inside}. "[It belongs to my {old}|My {old} has lost it long ago]!" [cried|said] {h}.',
        "They [carried|brought] the {thing} to {h.his} {old}, and {she} [had tears in {hers} eyes|laughed with joy].",
        '["I have looked for it for years," said {h.his} {old}.|"I was a child when I lost it," said {h.his} {old}.]',
        "[And then {she} told them a story.|The {c} key hangs on the wall to this day.|" + w.rng.choice(EVENING) + "]",
    )


def storm(w: World) -> str:
    """A warning that is heard late."""
    shelter = w.rng.choice(["the barn", "the cave", "the mill", "the church", "the big house"])
    w.slots["shelter"] = shelter
    return w.tell(
        opening(w),
        "{Time} {h} looked at the sky. It was [dark|black|yellow and dark], and the birds were [quiet|gone].",
        '"A storm is coming!" said {h}. [{h.He} ran to {f}.|First {h.he} went to {f}.] "[I see no storm|It is only a cloud]," said {f}.',
        '[{h.He} ran to {s.intro}.|Then {h.he} told {s.intro}.] "[I want to sleep|I have no time]," said {s}.',
        "But {h} did not give up. {h.He} [rang the bell|beat the drum|called and called], until they all came to {shelter}.",
        "[Then|Soon|A moment later] the storm came. The wind [howled|roared], and the rain fell like a river. In {shelter} it was [warm and dry|dry].",
        "[They told stories all night.|They sang songs until it was over.|{f} held {h.his} hand.]",
        "In the morning the sun [shone|was back]. [A tree lay on {f}'s house.|The bridge was gone.|The path was full of branches.]",
        '"[You were right|You have saved us], {h}," said {f}. "Next time we will listen to you," said {s}.',
    )


def truth(w: World) -> str:
    """Something breaks."""
    thing = w.rng.choice(["cup", "vase", "window", "plate", "clock", "lamp"])
    w.slots["thing"] = thing
    return w.tell(
        opening(w),
        "{Time} {h} played with {h.his} {toy} in the house, and [crash!|] the {c} {thing} of {h.his} {old} broke.",
        "[Nobody had seen it.|{h} looked around. Nobody was there.] {h} hid the pieces [in a box|under the bed|behind the stove].",
        '"Where is my {c} {thing}?" asked {h.his} {old} [in the evening|at dinner]. "I do not know," said {h}.',
        "But that night {h} could not sleep. {h.His} [heart was heavy|stomach hurt].",
        '[In the morning|Early the next day] {h.he} went to {h.his} {old} and said, "[It was me|I broke it]. I am sorry."',
        "{h.His} {old} [was quiet for a while|looked at {h.him} for a long time]. Then {she} [smiled|put an arm around {h.him}].",
        '"A {thing} can be [mended|made new]," said {h.his} {old}. "[I am glad that you told me|It was brave to tell me]."',
        "Together they [glued the pieces|bought a new {thing}|made a new {thing}]. [Now {h}'s heart was light again.|And {h} never hid anything again.|"
        + w.rng.choice(QUIET)
        + "]",
    )


def race(w: World) -> str:
    """The quick one stops."""
    slow, quick = w.rng.choice([("turtle", "hare"), ("snail", "grasshopper"), ("mole", "deer"), ("duck", "dog")])
    w.slots |= {"slow": slow, "quick": quick}
    w.slots["goal"] = w.rng.choice(["the old mill", "the big oak", "the bridge", "the red gate"])
    return w.tell(
        "[Once upon a time|Long ago|Once] there lived a [small|young|quiet] {slow} {place}.",
        'The {quick} [always laughed at|made fun of] the {slow}. "You are so slow!" said the {quick}.',
        '"[Let us have a race|Let us run] to {goal}," said the {slow}. [The {quick} laughed even more.|Everybody was surprised.]',
        'Their friend {f} counted: "One, two, three!" The {quick} ran [off like the wind|fast], and the {slow} went step by step.',
        "[Half way|Not far from {goal}] the {quick} [lay down in the grass and fell asleep|stopped to eat some {fruit}|stopped to look at itself in the pond].",
        "The {slow} [did not stop|went on and on]. [It was tired, but it went on.|]",
        "When the {quick} [looked up|thought of the race again], the {slow} was [already there|at {goal}].",
        '"The {slow} has won!" [cried|called] {f}. The {quick} [hung its head|could not believe it].',
        '"You are slow, but you do not stop," said the {quick}. [And it never laughed at the {slow} again.|And from then on they were friends.]',
    )


def home(w: World) -> str:
    """A young animal is lost; what it remembers of its home leads there."""
    young = w.rng.choice(["duckling", "kitten", "puppy", "lamb", "chick", "bear cub"])
    mother = {"duckling": "duck", "kitten": "cat", "puppy": "dog", "lamb": "sheep", "chick": "hen", "bear cub": "bear"}
    hear, see = (
        w.rng.sample(["a mill", "a church bell", "frogs", "the sea", "a waterfall", "bees"], 1)[0],
        w.rng.choice(
            ["a red door", "a crooked tree", "a blue fence", "a round stone", "a white bridge", "three tall trees"]
        ),
    )
    w.slots |= {"young": young, "mum": mother[young], "hear": hear, "see": see, "this": see.removeprefix("a ")}
    return w.tell(
        opening(w),
        "{Time} {h.he} found a small {young} {hide}. It was [crying|cold and alone|wet and sad].",
        '"[What is wrong|Why do you cry], little one?" asked {h}. "I have lost my mother," said the {young}.',
        '"What is there [near|by] your home?" asked {h}. "[I can see|There is] {see}," said the {young}, "and I can hear {hear}."',
        '{h} [thought for a while|took the {young} in {h.his} arms]. [{h.He} asked {f}, but {f} did not know the place.|{h.He} asked {s}. "Go [down to the valley|past the fields]," said {s}.]',
        'They walked [a long way|for an hour|until noon]. Then {h} [stopped|held {h.his} breath]. "[Listen|Quiet]! I hear {hear}!"',
        'And [behind the next hill|behind the trees] there was {see}. "That is my home!" cried the {young}.',
        'The {mum} came running. "My child!" she cried. [She was so happy that she wept.|She [kissed|licked] the {young} from head to foot.]',
        '"How can I thank you?" asked the {mum}. "[You need not|It was nothing]," said {h}, [and went home with a light heart|and waved goodbye].',
    )


def skill(w: World) -> str:
    """Practice."""
    can, fail, sign = w.rng.choice(
        [
            ("swim", "swallowed a lot of water", "swam across the pond"),
            ("whistle", "only blew air", "whistled a whole song"),
            ("play the flute", "made an ugly sound", "played a song without a mistake"),
            ("ride a horse", "fell into the hay", "rode once around the field"),
            ("skate", "fell on the ice", "skated across the lake"),
            ("bake bread", "burned the bread", "took a golden loaf out of the oven"),
            ("read", "mixed up the letters", "read a whole page"),
            ("dance", "stepped on everybody's feet", "danced in the middle of the hall"),
        ]
    )
    w.slots |= {"can": can, "fail": fail, "sign": sign}
    return w.tell(
        opening(w),
        "{h} wanted to learn to {can}. {f} could {can} very well.",
        '[On the first day|When {h.he} tried it], {h} {fail}. [Some others laughed.|Everybody laughed.|"I will never learn it," said {h}.]',
        '"[Do not listen to them|Nobody can do it at once]," said {f}. "[I will teach you|Try it every day a little]."',
        "So {h} practised [every morning|every day]. On the second day {h.he} {fail} again. On the third day it [was a little better|went better].",
        "[Weeks went by.|The leaves fell, and the snow came.|{f} was always there.]",
        "Then came the [big day|feast]. [Everybody was there.|{h.His} {old} was there too.] {h} [took a deep breath|closed {h.his} eyes for a moment]. And then {h.he} {sign}!",
        '[All of them clapped.|"Bravo!" they all called.] "[I knew it|You see]!" said {f}.',
        "[{h.He} had worked for it, and that made it sweet.|" + w.rng.choice(HAPPY) + "|" + w.rng.choice(EVENING) + "]",
    )


def soup(w: World) -> str:
    """Everybody brings something, and it is all in there."""
    things = w.rng.sample(["carrots", "beans", "onions", "corn", "mushrooms", "potatoes", "peas", "herbs"], 3)
    w.slots |= {"x": things[0], "y": things[1], "z": things[2]}
    return w.tell(
        opening(w),
        "[It was a cold winter|The winter was long|It had snowed for days], and {h} had only some {x} [left|in the house].",
        '"[That is not enough for a soup|One cannot make soup of that]," [said|thought] {h}. Then there was a knock at the door.',
        'It was {f}. "I am hungry," said {f}. "I have nothing but {y}." "[Come in|Good]!" said {h}.',
        '[Soon|Then] there was another knock. It was {s.intro}. "I have nothing but {z}," said {s}. "[Come in|Good]!" said {h} [again|and laughed].',
        "They put the {x}, the {y} and the {z} into the big pot. [The fire was warm.|{f} stirred, and {s} sang.]",
        "[Soon|After an hour] the whole house smelled of soup. {h}, {f} and {s} ate until [the pot was empty|they were full].",
        '"[Alone I had only {x}|Alone we were hungry]," said {h}. "[Together we have soup|Together we have a feast]."',
        "[Outside the snow fell, but inside it was warm.|And they did it again every week, until spring came.]",
    )


def letter(w: World) -> str:
    """Somebody far away, and a way to reach them."""
    way, arrive = w.rng.choice(
        [
            ("in a bottle and threw it into the water", "The waves carried it away"),
            ("to the leg of a white bird", "The bird flew over the hills"),
            ("to a {c} balloon", "The wind carried it over the roofs"),
            ("into the bag of the old postman", "The postman walked for three days"),
        ]
    )
    w.slots |= {"way": way.format(**w.slots), "arrive": arrive, "put": "tied" if way.startswith("to ") else "put"}
    return w.tell(
        opening(w),
        "{h.His} best friend {f} had moved [far away|to another town|over the mountains]. {h} missed {f} [very much|every day].",
        '"[Why do you look so sad|What is it], {h}?" asked {h.his} {old}. "I cannot [see|talk to] {f} any more," said {h}. '
        '"[Then write a letter|You can write to {f.him}]," said {h.his} {old}.',
        "So {h} [sat down and wrote|wrote] a letter. In it {h.he} drew a {c2} {toy}. {h.He} {put} the letter {way}. {arrive}.",
        "{h} waited [one week|many days]. [Nothing came.|Every morning {h.he} looked out of the window.]",
        "Then [at last|one morning] there was [a knock at the door|a bell at the gate]. [Who was it?|{h} opened.] It was {f}! In {f.his} hands {f.he} had a {c2} {toy}.",
        '"I got your letter," said {f}. "[I missed you too|I came as fast as I could]."',
        "[They talked until the stars came out.|They played with the {c2} {toy} until it was dark.|"
        + w.rng.choice(HAPPY)
        + "]",
    )


def night(w: World) -> str:
    """A noise in the night is something small."""
    noise, guess, truth = w.rng.choice(
        [
            ("a scratching at the door", "a wolf", "a little cat that was cold"),
            ("a knocking at the window", "a ghost", "a branch of the cherry tree"),
            ("a rattling in the kitchen", "a thief", "a mouse in a pot"),
            ("a humming under the roof", "a monster", "a nest of bees"),
            ("a sound of steps in the hall", "a giant", "a hedgehog in a boot"),
        ]
    )
    w.slots |= {"noise": noise, "guess": guess, "truth": truth, "bare": guess.split(" ", 1)[1]}
    return w.tell(
        opening(w),
        'One night {h} woke up. There was {noise}. "[Is that {guess}|That must be {guess}]?" thought {h}, and {h.his} heart beat fast.',
        "{h.He} [pulled the blanket over {h.his} head|lay very still]. There it was again: {noise}.",
        '[{h} went to {h.his} {old}.|{h} called {h.his} {old}.] "I think it is {guess}," said {h}. "[Let us look|We will see]," said {h.his} {old}, and took a lamp.',
        "[Slowly|Hand in hand] they went to see. [The floor was cold.|It was very quiet.|] And what was it? It was {truth}!",
        '[Then they both laughed.|{h.His} {old} laughed, and {h} laughed too.] "So that is my {bare}," said {h}.',
        "[They drank warm milk, and then {h} went back to bed.|{h} went back to bed and slept until morning.]",
        "[Many things are big only in the dark.|In the morning {h} told {f} about the {bare}.|Since then {h} looks first and is afraid later.]",
    )


def song(w: World) -> str:
    """A voice that is missing."""
    return w.tell(
        opening(w),
        "{h} had a beautiful voice, but {h.he} sang only when nobody [was there|could hear {h.him}].",
        "{Time} {h} sat {hide} and sang a song about [the moon|the sea|a little star|the spring]. {s.Intro} [sat nearby|came by] and listened.",
        '"[That was beautiful|I have never heard such a song]," said {s}. {h} [turned red|wanted to run away]. "[Sing at the feast tomorrow|You must sing for all of us]!"',
        '"I cannot," said {h}. "[They will all look at me|I would forget the words]." "Then look only at me," said {s}.',
        "The next day there was a feast {place}. {f} played the [drum|flute]. Then {h} [stood up|came forward]. {h.His} knees [shook|were weak].",
        "But {s} sat in the first row and [smiled|nodded]. {h} looked only at {s} and sang.",
        '[When the song was over, it was quiet for a moment.|Nobody made a sound.] Then they all clapped, and {f} [clapped most of all.|called, "Once more!"]',
        "[And {h} sang once more.|From that day on {h} sang every evening, and they all came to listen.|"
        + w.rng.choice(HAPPY)
        + "]",
    )


def wish(w: World) -> str:
    """A wish is granted and turns out another way."""
    want, trouble, better = w.rng.choice(
        [
            ("to be as tall as a tree", "could not get through any door", "could sit at the table with the others"),
            ("that it would always be summer", "the flowers dried up", "heard the first rain on the roof"),
            ("to be able to fly", "was alone up there", "felt the grass under {h.his} feet"),
            ("to eat nothing but cake", "had a bad stomach", "ate a bowl of soup"),
            ("never to have to sleep", "was so tired that {h.he} fell over", "slept for two days"),
            ("to be invisible", "nobody said good morning", "heard {f} call {h.his} name"),
        ]
    )
    hero = w.slots["h"]
    w.slots |= {"want": want, "trouble": trouble.format(h=hero), "better": better.format(h=hero, f=w.slots["f"])}
    subject = "" if trouble.startswith(("nobody", "the ")) else "{h.he} "
    return w.tell(
        opening(w),
        '{Time} {h.he} found a {c} {gem} {hide}. When {h.he} rubbed it, a [small|thin|tiny] voice said, "You have one wish."',
        '{h} did not think long. "I wish {want}," {h.he} said. And so it was.',
        "At first [it was wonderful|{h} was happy]. But [soon|the next day] " + subject + "{trouble}.",
        '[{h} sat down and cried.|"This is not what I wanted," said {h}.] {f} saw {h.him} and asked, "[Can I help you|What have you done]?"',
        '"Rub the {gem} [again|once more]," said {f}, "and [give the wish back|say that you are sorry]." {h} did so.',
        "[All at once|The {gem} shone, and then] everything was as before. {h} {better} and was [glad|happy].",
        "[Then {h.he} threw the {c} {gem} into the [river|lake|sea].|The {c} {gem} lies on {h.his} shelf to this day, and nobody rubs it.]",
    )


PLOTS: list[Callable[[World], str]] = [
    lost, rescue, sharing, afraid, build, quarrel, trade, seed, gift, secret, storm, truth, race, home, skill, soup, wish,
    letter, night, song,
]  # fmt: skip
