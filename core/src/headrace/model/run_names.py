"""Names for flow runs: an adjective and an animal, so that people can speak of a run."""

import random

_ADJECTIVES = """able amber ample azure bold brave bright brisk calm candid certain cheerful clever coral crisp curious daring deft eager
early easy fair famous fancy fearless fine fleet fluent fond frank free fresh friendly gentle giddy glad golden grand green happy hardy honest
humble icy ideal jolly keen kind late level light lively loyal lucid lucky lunar mellow merry mighty mild modest neat nimble noble novel olive
open orange patient placid plain plucky polite proud prudent purple quick quiet rapid rare ready red robust rosy ruby rustic sage serene sharp
shiny silent silver sincere sleek sly smart smooth snug sober solar solid spry steady still sturdy subtle sunny swift tall tame tidy tiny true
upbeat urban valiant vivid warm wary wild wise witty young zany zesty""".split()

_ANIMALS = """alpaca ant auk badger bat bear beaver bee bison boar buzzard camel capybara carp cat catfish chamois cheetah chough cobra cod
condor coot cormorant cougar coyote crab crane cricket crow curlew deer dingo dipper dolphin dormouse dove duck eagle eel egret eider elk emu
ermine falcon ferret finch flamingo fox frog gazelle gecko gibbon gnu goat goose grebe grouse gull hare harrier hawk hedgehog heron hoopoe
hornet horse ibex ibis iguana impala jackal jackdaw jay kestrel kingfisher kite kiwi koala lark lemming lemur lion lizard llama lobster loon
lynx macaw magpie mallard marmot marten mink mole moose moth mouse newt numbat ocelot octopus okapi orca oriole osprey otter ox oyster panda
parrot pelican penguin perch pheasant pigeon pike pony puffin puma quail rabbit raccoon ram raven ray robin rook salmon seal serval shark sheep
shrew skua skunk sloth snail snipe sparrow squid squirrel stoat stork swallow swan swift tapir teal tern thrush tiger toad trout turtle viper
vole wagtail walrus wapiti warbler weasel whale wolf wombat woodcock wren yak zebra""".split()


def run_name(generator: random.Random) -> str:
    """Two words, from the generator given."""
    return f"{generator.choice(_ADJECTIVES)}-{generator.choice(_ANIMALS)}"
